"""One artificial neuron as a scikit-learn estimator, and everything inside it in plain sight.

To read the code: `neuron` and `layer` are the estimators, and `base` is their `fit`. It joins the
rows (`sources`) with activation, loss and penalty to an `objective`, hands that to one of the
`solvers`, and `training` records what it yields. `inspection` looks into what was fitted.
"""

from . import activations as _activations
from . import losses as _losses
from ._tracking import hook as _hook
from ._version import __version__
from .exceptions import NeuronWarning
from .layer import NeuronLayer
from .neuron import NeuronClassifier, NeuronRegressor

_own: list[type] = [NeuronClassifier, NeuronLayer, NeuronRegressor]
_own += [*_activations.ACTIVATIONS.values(), *_losses.LOSSES.values()]
# Holders of settings and numbers that skops does not know, in the imputers, column selectors,
# searches and calibrators of scikit-learn that stand around a neuron.
_around = [
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.compose._column_transformer.make_column_selector",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.model_selection._split.KFold",
    "sklearn.model_selection._split.StratifiedKFold",
]
#: Names of every public class of ours that a saved model can hold, and of what the usual parts of
#: scikit-learn around it hold, for ``skops.io.load(path, trusted=sknneuron.TRUSTED_TYPES)``.
TRUSTED_TYPES = sorted([*(f"{cls.__module__}.{cls.__qualname__}" for cls in _own), *_around])
_hook.register([NeuronClassifier, NeuronLayer, NeuronRegressor], TRUSTED_TYPES)

__all__ = [
    "TRUSTED_TYPES",
    "NeuronClassifier",
    "NeuronLayer",
    "NeuronRegressor",
    "NeuronWarning",
    "__version__",
]
