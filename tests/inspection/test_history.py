"""The training history as a table."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron.inspection import training_history

X, y = load_iris(return_X_y=True, as_frame=True)


def test_one_row_an_iterate():
    model = make_pipeline(StandardScaler(), NeuronRegressor("tanh")).fit(X, y / 3)
    history = training_history(model)
    kept = model[-1].history_
    assert len(history) == len(kept["iteration"])
    np.testing.assert_array_equal(history["loss"], kept["loss"])
    np.testing.assert_array_equal(history["weights/sepal length (cm)"], kept["coef"][:, 0, 0])
    np.testing.assert_array_equal(history["bias"], kept["intercept"][:, 0])
    np.testing.assert_array_equal(history["saturated_fraction"], kept["saturated_fraction"][:, 0])
    np.testing.assert_allclose(history["weights/petal width (cm)"].iloc[-1], model[-1].coef_[-1])
    assert list(history)[:3] == ["iteration", "elapsed", "n_rows"]


def test_several_neurons():
    layer = NeuronClassifier().fit(X.to_numpy(), load_iris().target_names[y])
    history = training_history(layer)
    np.testing.assert_allclose(history["weights/virginica/x3"].iloc[-1], layer.coef_[2, 3])
    np.testing.assert_allclose(history["bias/setosa"].iloc[-1], layer.intercept_[0])
    assert "saturated_fraction/versicolor" in history


def test_less_kept():
    curves = training_history(NeuronClassifier(record="loss").fit(X, y))
    assert not any(name.startswith(("weights", "bias")) for name in curves)
    with pytest.raises(ValueError, match="record=False"):
        training_history(NeuronClassifier(record=False).fit(X, y))
