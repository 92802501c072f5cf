import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone

from sknneuron import NeuronClassifier, NeuronRegressor


class Stubborn(NeuronClassifier):
    """Changes what it is given, which scikit-learn forbids."""

    def __init__(self, alpha=1e-4):
        super().__init__(alpha=2 * alpha)


def test_clone_is_unfitted_and_keeps_what_was_asked_for():
    X, y = np.random.default_rng(0).normal(size=(30, 2)), np.arange(30) % 2
    neuron = NeuronClassifier("tanh", alpha=0.25, class_weight={0: 2, 1: 1})
    neuron.set_output(transform="pandas")
    with config_context(enable_metadata_routing=True):
        neuron.set_fit_request(sample_weight=True)
    for estimator in (neuron, NeuronClassifier(alpha=0.25), NeuronRegressor("relu")):
        copy = clone(estimator.fit(X, y))
        assert copy.get_params() == estimator.get_params()
        assert not hasattr(copy, "coef_")
        assert set(vars(copy)) == {k for k in vars(estimator) if not k.endswith(("_", "_in_"))}
    assert clone(neuron).class_weight is not neuron.class_weight
    assert list(clone(neuron).fit(X, y).transform(X).columns) == list(neuron.transform(X).columns)
    with pytest.raises(RuntimeError, match="constructor"):
        clone(Stubborn(alpha=1.5))
