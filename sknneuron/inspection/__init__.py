"""Look inside a fitted neuron, alone or at the end of a pipeline."""

from .columns import Column, Target
from .diagnosis import Diagnosis, Finding, diagnose
from .displays import (
    ActivationDisplay,
    CoefDisplay,
    ContributionDisplay,
    NeuronDisplay,
    TrainingCurveDisplay,
    WeightPathDisplay,
)
from .history import training_history
from .page import to_html
from .specialisation import specialisation
from .terms import contributions
from .units import Unfolded, unfold
from .weights import coef_table

__all__ = [
    "ActivationDisplay",
    "CoefDisplay",
    "Column",
    "ContributionDisplay",
    "Diagnosis",
    "Finding",
    "NeuronDisplay",
    "Target",
    "TrainingCurveDisplay",
    "Unfolded",
    "WeightPathDisplay",
    "coef_table",
    "contributions",
    "diagnose",
    "specialisation",
    "to_html",
    "training_history",
    "unfold",
]
