"""Targets at, past and far from the ends of a range."""

import numpy as np
import pytest
from sklearn.preprocessing import MinMaxScaler

from sknneuron import NeuronRegressor, NeuronWarning

X = np.random.default_rng(0).standard_normal((120, 4))
Z = X @ [1.0, -2.0, 0.5, 0.0] + 0.3


def test_partly_unreachable_targets_warn():
    with pytest.warns(NeuronWarning, match="of the targets are outside"):
        NeuronRegressor("tanh", random_state=0).fit(X, Z)


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_targets_that_scaling_has_rounded_past_the_range_are_within_it(loss):
    y = MinMaxScaler().fit_transform(Z[:, None]).ravel()
    past = np.where(y == y.max(), np.nextafter(1, 2), y)
    assert past.max() > 1
    neuron = NeuronRegressor("sigmoid", loss, random_state=0)
    coef = neuron.fit(X, past).coef_  # a warning is an error
    np.testing.assert_allclose(coef, neuron.fit(X, np.minimum(past, 1)).coef_, rtol=1e-6)


def test_targets_past_the_range_of_the_loss_by_more_than_rounding_are_refused():
    with pytest.raises(ValueError, match=r"targets in \[0, 1\]; y contains 1.0001"):
        NeuronRegressor("sigmoid", "log_loss").fit(X, np.where(Z > 0, 1.0001, 0.0))


def test_targets_of_rows_that_do_not_count_may_be_out_of_reach():
    y = np.where(np.arange(len(Z)) < 5, 3.0, np.tanh(Z))
    weight = (y < 1).astype(float)
    neuron = NeuronRegressor("tanh", random_state=0)
    coef = neuron.fit(X, y, weight).coef_  # a warning is an error
    np.testing.assert_allclose(coef, neuron.fit(X[5:], y[5:]).coef_, rtol=1e-5)
    neuron.fit(X, np.tanh(Z), X_val=X, y_val=y, sample_weight_val=weight)
    neuron.partial_fit(X, y, weight)
    with pytest.raises(ValueError, match="every target is outside"):
        neuron.fit(X, y, 1 - weight)
