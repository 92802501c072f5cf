"""A model's minimum within a radius: its conditions, which have no other solution."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sknneuron.solvers.trust_region import LEAST_EXCESS, restricted_step


def model(eigenvalues, seed=0):
    """Slope and Hessian with these eigenvalues."""
    rng = np.random.default_rng(seed)
    vectors = np.linalg.qr(rng.standard_normal((len(eigenvalues),) * 2))[0]
    return rng.standard_normal(len(eigenvalues)), vectors * eigenvalues @ vectors.T


SPECTRA = [[2.0], [1.0, 2.0, 3.0], [1e-9, 1e-3, 1.0, 1e6], [0.0, 0.0, 1.0], np.zeros(4)]


@pytest.mark.parametrize("radius", [1e-8, 1e-3, 1.0, 1e5])
@pytest.mark.parametrize("eigenvalues", SPECTRA, ids=str)
def test_a_step_held_back_is_the_damped_one_of_that_length(eigenvalues, radius):
    g, H = model(np.array(eigenvalues))
    step, within = restricted_step(g, H, radius, rounding=0.0)
    left = g + H @ step
    rounding = 1e-15 * max(eigenvalues) * np.linalg.norm(step) + 1e-12 * np.linalg.norm(g)
    if within:
        assert np.linalg.norm(step) <= radius
        assert_allclose(left, 0.0, atol=10 * rounding)
        return
    length = np.linalg.norm(step)
    assert_allclose(length, radius, rtol=2 * LEAST_EXCESS)
    # What is left of the slope points along the step, and damping is what makes it so.
    damping = -left @ step / length**2
    assert damping > 0
    assert_allclose(left, -damping * step, atol=10 * rounding)


def test_a_slope_that_is_rounding_is_not_followed():
    g, H = np.array([1.0, 1e-18]), np.diag([1.0, 0.0])
    step, within = restricted_step(g, H, 10.0, rounding=1e-15)
    assert within
    assert_allclose(step, [-1.0, 0.0], atol=1e-12)


def test_a_radius_of_nothing_leaves_no_step():
    step, within = restricted_step(np.array([1.0, 2.0]), np.eye(2), 0.0, 1e-9)
    assert np.array_equal(step, [0.0, 0.0])
    assert within
