"""A first guess of a layer's curvature: that of what neurons see times that of what they say."""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

from ..layer_objective import LayerObjective

# The guess is made anew after so many steps: neurons find their places early.
REFRESH_AT = (10, 20, 40, 80)
# The least curvature of a neuron, as a share of the largest.
LEAST_CURVATURE = 0.03
# What is added to the second moments, as a share of the largest.
RIDGE = 1e-3
# Passes over the rows that the second moments of the columns and their inverses may cost.
PASSES = 32


class Unconditioned:
    """Takes the curvature for the same in all directions."""

    # Steps after which its size is to be measured again.
    scale_every = 1

    def refresh(self, theta, n_steps: int) -> None:
        """Keep to that."""

    def __call__(self, gradient):
        return gradient


class LayerPreconditioner:
    """Divides a gradient by a guess of the curvature, hidden and output neurons each for itself.

    Parameters
    ----------
    objective : LayerObjective
        With a copy of its rows.

    References
    ----------
    Martens and Grosse, Optimizing neural networks with Kronecker-factored approximate curvature,
    ICML 2015; here with a diagonal factor for the neurons.
    """

    # Its size is known as well as its shape, and a look at it costs as much as a step's other half.
    scale_every = 20

    def __init__(self, objective: LayerObjective):
        self.split = objective.split
        self.penalty = [part[0] for part in objective.split(objective.l2)]
        self.moments = objective.block.second_moments()
        assert objective.few is not None
        self.few = objective.few
        self.factors: list[Factor] = []

    @staticmethod
    def pays(objective: LayerObjective) -> bool:
        """Whether a step takes so long that a few fewer are worth it."""
        n_rows, size = objective.source.n_rows, objective.neuron_size
        is_cheap = size * (n_rows + size) <= PASSES * n_rows * objective.n_neurons
        return objective.exact is not objective and is_cheap

    def refresh(self, theta, n_steps: int) -> None:
        """Guess anew at `theta`, if it is time to."""
        if n_steps not in REFRESH_AT:
            return
        hidden, output, of_levels = self.few.curvatures(theta)
        if all(np.isfinite(d).all() and d.any() for d in (hidden, output)):
            self.factors = [
                Factor(self.moments, hidden, self.penalty[0]),
                Factor(of_levels, output, self.penalty[1]),
            ]

    def __call__(self, gradient):
        if not self.factors:
            return gradient
        divided = np.empty_like(gradient)
        parts = zip(self.factors, self.split(gradient), self.split(divided), strict=True)
        for factor, part, out in parts:
            factor.divide(part, out)
        return divided


class Factor:
    """Of neurons side by side: their curvatures d, and one inverse for the inputs of all.

    Rows give neuron j the curvature ``d_j A``, with the second moments A of its inputs, and a
    penalty L more. That is taken for ``d_j (A + L / d)``, with d the mean of all d_j.

    Parameters
    ----------
    moments : ndarray of shape (n_inputs, n_inputs)
        A bias counts as an input.
    curvature : ndarray of shape (n_neurons,)
    penalty : ndarray of shape (n_inputs,)
    """

    def __init__(self, moments, curvature, penalty):
        curvature = np.maximum(curvature, LEAST_CURVATURE * curvature.max())
        damped = moments.copy()
        damped[np.diag_indices(len(damped))] += (
            penalty / curvature.mean() + RIDGE * damped.diagonal().max()
        )
        # It is a guess: float32 will do, and holds numbers near one.
        size = damped.diagonal().max()
        factor, _ = lapack.spotrf((damped / size).astype(np.float32).T, lower=1)
        lower, _ = lapack.spotri(factor, lower=1, overwrite_c=1)
        self.inverse = np.tril(lower) + np.tril(lower, -1).T
        self.curvature = (size * curvature[:, None]).astype(np.float32)

    def divide(self, gradient, out) -> None:
        single = np.dot(gradient.astype(np.float32, copy=False), self.inverse)
        np.divide(single, self.curvature, out=out)
