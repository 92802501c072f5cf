"""Solving where a Hessian is singular to working precision, and what that may miss."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sknneuron.solvers.linear_algebra import SpdSolver


def nearly_singular(difference, seed=0):
    """A Hessian of six columns, two of them alike but for a share `difference`."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((200, 6))
    X[:, 5] = X[:, 4] + difference * rng.standard_normal(200)
    return X.T @ X / 200, rng


@pytest.mark.parametrize("difference", [1.0, 1e-3, 2e-7])
def test_the_ridge_is_taken_out_again(difference):
    H, rng = nearly_singular(difference)
    x = rng.standard_normal(6)
    solve = SpdSolver(H[None])
    assert (solve.ridge > 0) == (difference < 1e-5)
    g = (H @ x)[None]
    assert_allclose(solve(g) @ g[0], x @ H @ x, rtol=1e-8)
    step = rng.standard_normal(6) / difference
    decrement = 0.5 * step @ H @ step
    found = solve((H @ step)[None])[0]
    assert 0.5 * found @ H @ found == pytest.approx(decrement, rel=1e-3)
    assert solve.unseen((H @ step)[None]) <= 1e-3 * decrement


def test_what_rounding_hides_is_told():
    H, _ = nearly_singular(1e-9)
    solve = SpdSolver(H[None])
    # Along the difference of two columns that are one to working precision.
    g = np.zeros((1, 6))
    g[0, 4:] = 1e-6, -1e-6
    assert solve.unseen(g) > 100 * abs(g[0] @ solve(g)[0])
    assert solve.unseen((H @ np.ones(6))[None]) < 1e-10


def test_curvature_that_rounding_made_negative_is_none():
    """What centring the sums of sparse rows may leave of columns that hardly vary."""
    H, _ = nearly_singular(1.0)
    H[3:5] = H[:, 3:5] = 0
    H[3, 4] = H[4, 3] = H[2, 3] = H[3, 2] = 1e-9
    H[3, 3], H[4, 4] = -1e-9, 1e-29
    curved = [0, 1, 2, 5]
    g = np.zeros((1, 6))
    g[0, curved] = 1.0
    x = SpdSolver(H[None])(g)[0]
    assert_allclose(x[curved], np.linalg.solve(H[np.ix_(curved, curved)], g[0, curved]), rtol=1e-6)


def test_a_column_without_curvature_stays_put():
    H, rng = nearly_singular(1.0)
    H[3] = H[:, 3] = 0
    x = rng.standard_normal(6)
    x[3] = 0
    assert_allclose(SpdSolver(H[None])((H @ x)[None])[0], x, atol=1e-12)
