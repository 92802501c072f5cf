"""Look inside a fitted neuron, alone or at the end of a pipeline."""

from .columns import Column, Target
from .diagnosis import Diagnosis, Finding, diagnose
from .displays.specialisation import SpecialisationDisplay
from .history import training_history
from .page import to_html
from .specialisation import specialisation
from .terms import contributions
from .units import Unfolded, unfold
from .weights import coef_table

__all__ = [
    "Column",
    "Diagnosis",
    "Finding",
    "SpecialisationDisplay",
    "Target",
    "Unfolded",
    "coef_table",
    "contributions",
    "diagnose",
    "specialisation",
    "to_html",
    "training_history",
    "unfold",
]
