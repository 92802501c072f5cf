"""Losses with a kink on neurons that are not convex: which valley, and down to its bottom."""

import numpy as np
import pytest

from sknneuron import NeuronRegressor

ALPHA = 1e-3

pytestmark = [
    # Targets past what the activation reaches, and hardly a thing to gain: made to be so.
    pytest.mark.filterwarnings("ignore:activation=.*out of reach"),
    pytest.mark.filterwarnings("ignore:NeuronRegressor predicts the same for every row"),
    pytest.mark.filterwarnings("ignore:The penalty leaves little"),
]


def noisy_rows(seed, n_outputs=1, scale=1.0):
    """Products of two columns' sums, which no neuron fits, under three times as much noise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((120, 3))
    z = X @ rng.standard_normal((3, 2 * n_outputs))
    y = z[:, :n_outputs] * z[:, n_outputs:] + 3 * rng.standard_normal((120, n_outputs))
    return X, scale * y


@pytest.mark.parametrize("activation", ["silu", "gelu"])
@pytest.mark.parametrize("seed", [1, 7])
def test_steps_without_all_of_the_curvature_come_to_an_end(activation, seed):
    """Of three outputs there is always one that Gauss-Newton's model does not fit."""
    X, y = noisy_rows(seed, n_outputs=3, scale=20.0)
    neuron = NeuronRegressor(activation, "huber", alpha=ALPHA, tol=1e-6, random_state=0)
    assert neuron.fit(X, y).converged_
