"""Pictures of a fitted neuron, in scikit-learn's convention for displays.

matplotlib is imported when something is drawn.
"""

from .activation import ActivationDisplay
from .coefs import CoefDisplay
from .curve import TrainingCurveDisplay
from .neuron import NeuronDisplay
from .paths import WeightPathDisplay
from .waterfall import ContributionDisplay

__all__ = [
    "ActivationDisplay",
    "CoefDisplay",
    "ContributionDisplay",
    "NeuronDisplay",
    "TrainingCurveDisplay",
    "WeightPathDisplay",
]
