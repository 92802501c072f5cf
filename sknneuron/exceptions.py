"""Warnings of the package."""


class NeuronWarning(UserWarning):
    """A fit that works but is probably not what was meant; the message says what would do."""
