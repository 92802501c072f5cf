"""The elastic net against its definition."""

import numpy as np
import pytest
from scipy import optimize

from sknneuron.penalties import ElasticNet

W = np.array([-2.0, -0.3, 0.0, 0.7, 5.0])


@pytest.mark.parametrize("l1_ratio", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("alpha", [0.0, 0.5, 3.0])
def test_value_gradient_and_prox(alpha, l1_ratio):
    penalty = ElasticNet(alpha, l1_ratio)
    assert penalty.value(W) == pytest.approx(
        alpha * (l1_ratio * np.abs(W).sum() + (1 - l1_ratio) / 2 * (W**2).sum())
    )
    smooth, h = ElasticNet(penalty.l2, 0.0), 1e-6
    numeric = [(smooth.value(W + h * e) - smooth.value(W - h * e)) / (2 * h) for e in np.eye(5)]
    np.testing.assert_allclose(penalty.gradient(W), numeric, atol=1e-8)
    assert penalty.curvature() == penalty.l2
    for w, shrunk in zip(W, penalty.prox(W, 0.4), strict=True):
        def cost(v, w=w):
            return penalty.value(np.array([v])) + (v - w) ** 2 / 0.8

        found = optimize.minimize_scalar(cost, bounds=(-6, 6), method="bounded",
                                         options={"xatol": 1e-12})
        assert cost(shrunk) <= found.fun + 1e-12
