"""Look inside a fitted neuron, alone or at the end of a pipeline."""

from .columns import Column, Target
from .history import training_history
from .terms import contributions
from .units import Unfolded, unfold
from .weights import coef_table

__all__ = [
    "Column",
    "Target",
    "Unfolded",
    "coef_table",
    "contributions",
    "training_history",
    "unfold",
]
