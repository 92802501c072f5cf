"""Steps within a face of an L1 norm, where rounding hides curvature."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sknneuron.solvers.face import end_on_face

FAR = 2.0**24


def problem(slope):
    """A quadratic in three columns that differ by a share of 2^-24, and its product, exact."""
    rng = np.random.default_rng(0)
    near = np.round(2**8 * rng.standard_normal((50, 3))) / 2**8
    X = FAR + near
    hidden = np.diff(near, axis=1)

    def product(v):
        z = hidden @ [-v[0], v[2]] + X[:, 1] * v.sum()
        return X.T @ z / FAR**2

    # Downhill in what the columns differ by, as `hidden` has it.
    r = hidden @ slope
    gradient = X.T @ r / FAR**2
    return gradient, X.T @ X / FAR**2, product


def test_the_step_is_that_of_the_true_curvature():
    gradient, hessian, product = problem([1.0, -1.0])
    at = np.full(3, 1e10)
    l1 = np.zeros(3)
    end = end_on_face(at, at, gradient, hessian, l1, product, 1e-20)
    left = gradient + product(end - at)
    # Nothing is left along differences of columns, of which a matrix cannot tell.
    assert_allclose(np.diff(left), 0, atol=1e-6 * np.abs(np.diff(gradient)).max())


def test_it_ends_where_the_first_weight_becomes_zero():
    gradient, hessian, product = problem([1.0, -1.0])
    free = end_on_face(np.ones(3), np.ones(3), gradient, hessian, np.zeros(3), product, 1e-20)
    assert free.min() < 0
    l1 = np.full(3, 1e-25)
    end = end_on_face(np.ones(3), np.ones(3), gradient, hessian, l1, product, 1e-20)
    assert end.min() == 0
    assert np.count_nonzero(end) == 2
    share = (end - 1) / (free - 1)
    assert_allclose(share, share[0], rtol=1e-6)


@pytest.mark.parametrize("allowed", [1e-20, 1.0])
def test_what_is_sound_or_promises_nothing_stays(allowed):
    gradient, hessian, product = problem([1.0, -1.0])
    if allowed < 1:
        hessian = hessian + np.eye(3)
    assert (
        end_on_face(np.ones(3), np.ones(3), gradient, hessian, np.ones(3), product, allowed) is None
    )
