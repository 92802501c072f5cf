"""Look inside a fitted neuron, alone or at the end of a pipeline."""

from .columns import Column, Target
from .units import Unfolded, unfold

__all__ = ["Column", "Target", "Unfolded", "unfold"]
