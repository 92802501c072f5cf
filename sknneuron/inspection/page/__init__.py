"""The interactive page of a fitted neuron: one file that needs nothing and asks for nothing."""

from .html import to_html

__all__ = ["to_html"]
