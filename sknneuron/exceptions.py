"""Warnings of the package, and how it gives them."""

from __future__ import annotations

import os
import sys
import warnings

import sklearn

_NOT_THE_CALLER = (
    os.path.dirname(os.path.abspath(__file__)) + os.sep,
    os.path.dirname(sklearn.__file__) + os.sep,
)


class NeuronWarning(UserWarning):
    """A fit that works but is probably not what was meant; the message says what would do."""


def warn(message: str, category: type[Warning] = NeuronWarning) -> None:
    """Warn at the line of the caller's code that led here, through scikit-learn or not."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_NOT_THE_CALLER):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
