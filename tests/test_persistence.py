"""Saved and loaded, a neuron predicts the same bits."""

import io
import pickle

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sknneuron
from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron.activations import LeakyReLU
from sknneuron.losses import Huber

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 3))
Y = X @ [1.0, -2.0, 0.5] + 0.1 * RNG.standard_normal(60)
LABELS = np.array(["low", "middle", "high"])[np.digitize(Y, [-1, 1])]
FITTED = {
    "regressor": NeuronRegressor().fit(X, Y),
    "several targets": NeuronRegressor().fit(X, np.c_[Y, -Y]),
    "instances": NeuronRegressor(LeakyReLU(0.2), Huber(0.5), random_state=0).fit(X, Y),
    "classifier": NeuronClassifier().fit(X, LABELS),
    "two classes": NeuronClassifier().fit(X, Y > 0),
    "multilabel": NeuronClassifier().fit(X, np.c_[Y > 0, X[:, 0] > Y].astype(int)),
    "hinge": NeuronClassifier(loss="hinge").fit(X, Y > 0),
    "partial_fit": NeuronRegressor(random_state=0).partial_fit(X, Y),
    "in a pipeline": make_pipeline(StandardScaler(), NeuronClassifier()).fit(X, LABELS),
}


def with_pickle(model):
    return pickle.loads(pickle.dumps(model))


def with_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


def with_skops(model):
    skops = pytest.importorskip("skops.io")
    return skops.loads(skops.dumps(model), trusted=sknneuron.TRUSTED_TYPES)


@pytest.mark.parametrize("through", [with_pickle, with_joblib, with_skops])
@pytest.mark.parametrize("name", FITTED)
def test_round_trip(name, through):
    model, loaded = FITTED[name], through(FITTED[name])
    for method in ("predict", "predict_proba", "decision_function", "transform", "pre_activation"):
        if hasattr(model, method):
            np.testing.assert_array_equal(getattr(loaded, method)(X), getattr(model, method)(X))
    assert str(loaded.get_params()) == str(model.get_params())
    neuron, again = (m[-1] if hasattr(m, "steps") else m for m in (model, loaded))
    assert neuron.history_.keys() == again.history_.keys()
    for key, values in neuron.history_.items():
        np.testing.assert_array_equal(again.history_[key], values)


def test_skops_needs_to_trust_one_class_of_a_neuron_of_strings():
    skops = pytest.importorskip("skops.io")
    unknown = skops.get_untrusted_types(data=skops.dumps(FITTED["classifier"]))
    assert unknown == ["sknneuron.neuron.NeuronClassifier"]
    unknown = skops.get_untrusted_types(data=skops.dumps(FITTED["instances"]))
    assert set(unknown) <= set(sknneuron.TRUSTED_TYPES)


@pytest.mark.parametrize("name", [name for name in FITTED if "pipeline" not in name])
def test_fitted_attributes_are_arrays_builtins_and_strings(name):
    for attribute, value in vars(FITTED[name]).items():
        if attribute.endswith("_") and not attribute.startswith("_"):
            values = value.values() if isinstance(value, dict) else [value]
            for v in values:
                assert isinstance(v, (np.ndarray, int, float, str, bool)), (attribute, type(v))


def test_a_loaded_neuron_learns_on():
    loaded = with_pickle(FITTED["partial_fit"])
    loaded.partial_fit(X, Y)
    both = clone(FITTED["partial_fit"]).partial_fit(X, Y).partial_fit(X, Y)
    np.testing.assert_array_equal(loaded.coef_, both.coef_)
