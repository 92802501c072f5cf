"""What L-BFGS remembers against the recursion that it stands for."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sknneuron.solvers.memory import Memory


def two_loops(pairs, gradient, diagonal):
    """Nocedal and Wright, Numerical Optimization, algorithm 7.4."""
    q, alphas = gradient.copy(), []
    for s, y in reversed(pairs):
        alphas.append(s @ q / (s @ y))
        q -= alphas[-1] * y
    q *= diagonal
    for (s, y), alpha in zip(pairs, reversed(alphas), strict=True):
        q += (alpha - y @ q / (s @ y)) * s
    return q


@pytest.mark.parametrize("n_pairs", [0, 1, 4, 5, 13])
def test_is_the_two_loop_recursion_over_the_last_pairs_of_each_group(n_pairs):
    rng = np.random.default_rng(n_pairs)
    n, size = 7, 5
    diagonal = rng.uniform(0.5, 2, n)
    memory, kept = Memory(size), ([], [])
    for i in range(n_pairs):
        step = rng.standard_normal((2, n))
        change = step * rng.uniform(0.1, 10, n)
        # The second group meets negative curvature now and then, and keeps nothing of it.
        change[1] *= -1 if i % 3 == 2 else 1
        memory.remember(step, change)
        for group in range(2):
            is_good = step[group] @ change[group] > 0
            kept[group].append((step[group], change[group]) if is_good else None)
    assert len(memory) == min(n_pairs, size)
    gradient = rng.standard_normal((2, n))
    product = memory.inverse_hessian_product(gradient, lambda g: g * diagonal)
    for group in range(2):
        pairs = [pair for pair in kept[group][-size:] if pair is not None]
        assert_allclose(product[group], two_loops(pairs, gradient[group], diagonal), rtol=1e-12)


def test_float32_is_as_good_as_its_digits():
    rng = np.random.default_rng(0)
    single, double = Memory(5, np.float32), Memory(5)
    for _ in range(8):
        step = rng.standard_normal((1, 7))
        change = step * rng.uniform(0.1, 10, 7)
        for memory in (single, double):
            memory.remember(step, change)
    gradient = rng.standard_normal((1, 7))
    found, expected = (m.inverse_hessian_product(gradient, lambda g: g) for m in (single, double))
    assert found.dtype == np.float32
    assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_keeps_nothing_where_no_group_has_curvature():
    memory = Memory()
    memory.remember(np.ones((2, 3)), -np.ones((2, 3)))
    assert len(memory) == 0
