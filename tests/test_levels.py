import numpy as np
import pytest

from sknneuron import NeuronClassifier, NeuronRegressor


@pytest.mark.parametrize("estimator", [NeuronRegressor("tanh"), NeuronClassifier()])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_levels_do_not_depend_on_the_order_of_memory(estimator, dtype):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(501, 37)).astype(dtype)
    y = (X[:, 0] > 0).astype(int)
    estimator.fit(X, y)
    by_rows = estimator.transform(X)
    assert np.array_equal(estimator.transform(np.asfortranarray(X)), by_rows)
    assert np.array_equal(estimator.transform(np.repeat(X, 2, axis=1)[:, ::2]), by_rows)
