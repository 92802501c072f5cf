"""One artificial neuron as a scikit-learn estimator, and everything inside it in plain sight."""

from . import activations as _activations
from . import losses as _losses
from ._tracking import hook as _hook
from ._version import __version__
from .exceptions import NeuronWarning
from .layer import NeuronLayer
from .neuron import NeuronClassifier, NeuronRegressor

_own: list[type] = [NeuronClassifier, NeuronLayer, NeuronRegressor]
_own += [*_activations.ACTIVATIONS.values(), *_losses.LOSSES.values()]
#: Names of every public class of ours that a saved model can hold, for
#: ``skops.io.load(path, trusted=sknneuron.TRUSTED_TYPES)``.
TRUSTED_TYPES = sorted(f"{cls.__module__}.{cls.__qualname__}" for cls in _own)
_hook.register([NeuronClassifier, NeuronRegressor], TRUSTED_TYPES)

__all__ = [
    "TRUSTED_TYPES",
    "NeuronClassifier",
    "NeuronLayer",
    "NeuronRegressor",
    "NeuronWarning",
    "__version__",
]
