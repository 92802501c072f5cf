"""A first guess of the curvature of a layer: that of the columns times that of the neurons."""

from __future__ import annotations

import numpy as np

from ..layer_objective import LayerObjective

# The guess is made anew after so many steps: neurons find their places early.
REFRESH_AT = (5, 15, 30, 60)
# The least curvature of a neuron, as a share of the largest.
LEAST_CURVATURE = 0.03
# Passes over the rows that it may cost.
PASSES = 32


class Unconditioned:
    """Takes the curvature for the same in all directions."""

    def refresh(self, theta, n_steps: int) -> None:
        """Keep the guess as it is."""

    def __call__(self, gradient):
        return gradient


class LayerPreconditioner:
    """Divides a gradient by the curvature of each neuron, all of them along the same directions.

    The rows give hidden neuron j the curvature ``d_j A``: A are the second moments of the columns,
    and d_j the mean curvature of the loss in the weighted sum. With a penalty of curvatures L it is
    taken for ``d_j (A + L / d)``, d the mean of all d_j, so that one inverse serves all neurons; of
    the output neurons, and between neurons, only the diagonal is used.

    Parameters
    ----------
    objective : LayerObjective
        One that has all rows at hand.

    References
    ----------
    Martens and Grosse, Optimizing neural networks with Kronecker-factored approximate curvature,
    ICML 2015.
    """

    def __init__(self, objective: LayerObjective):
        self.objective = objective
        self.moments = objective.second_moments()
        self.rows = objective.counted()
        self.inverse: np.ndarray | None = None

    @staticmethod
    def pays(objective: LayerObjective) -> bool:
        """Whether the moments cost no more than a few passes over the rows."""
        # Beside a common factor: the moments and inverses of them, and a pass.
        n_rows, size = objective.source.n_rows, objective.neuron_size
        is_cheap = size * (n_rows + size) <= PASSES * n_rows * objective.n_neurons
        return objective.exact is not objective and is_cheap

    def refresh(self, theta, n_steps: int) -> None:
        """Guess anew at `theta`, if it is time to."""
        if n_steps not in REFRESH_AT:
            return
        hidden, output = self.objective.split(self.rows.curvature_diagonal(theta))
        of_neurons = _at_least_a_share(hidden[:, -1])
        penalty = self.objective.split(self.objective.l2)[0][0] / of_neurons.mean()
        size = np.arange(len(penalty))
        damped = self.moments.copy()
        damped[size, size] += penalty + 1e-9
        self.inverse = np.linalg.inv(damped).astype(np.float32)
        self.of_neurons = of_neurons[:, None]
        self.of_outputs = _at_least_a_share(output)

    def __call__(self, gradient):
        if self.inverse is None:
            return gradient
        divided = np.empty_like(gradient)
        of_hidden, of_output = self.objective.split(divided)
        hidden, output = self.objective.split(gradient)
        np.divide(hidden.astype(np.float32) @ self.inverse, self.of_neurons, out=of_hidden)
        np.divide(output, self.of_outputs, out=of_output)
        return divided


def _at_least_a_share(curvature):
    return np.maximum(curvature, LEAST_CURVATURE * curvature.max())
