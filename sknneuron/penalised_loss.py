"""What a training minimises, and its derivatives: the mean loss over the rows, and the penalty.

    F = sum_i s_i sum_k loss(y_ik, f(x_i . w_k + b_k)) / sum_i s_i
        + alpha * (l1_ratio * |W|_1 + (1 - l1_ratio) / 2 * |W|_2^2)

Shape convention: parameters `theta` are (n_groups, group_size). Neurons that share no loss are
problems of their own, solved side by side so that they share the reading of X: one group each, with
its weights and then its bias. A softmax layer is one group that holds all neurons one after the
other. Values are (n_groups,), gradients as theta, Hessians (n_groups, group_size, group_size).

Solvers work in coordinates in which columns are centred and scaled: `theta` holds ``scale * w`` and
``b + center . w``. Square feet beside a dummy then converge as surely as scaled columns do.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ._dot import dot
from .block import StandardBlock
from .coordinates import Coordinates
from .kernels import (
    BendSums,
    CurvatureDiagonal,
    HessianProduct,
    LossSums,
    RowsApart,
    Single,
    WorkingSums,
    sums_and_targets,
)
from .pairs import Pair
from .penalties import ElasticNet
from .products import centred

# Rows of a Hessian that are changed at once.
STRIP = 64


class PenalisedLoss:
    """The penalised loss over the rows of a source, a function of theta, and its derivatives.

    Parameters
    ----------
    source : source of rows
    pair : Pair
        The loss as a function of z.
    penalty : ElasticNet
    n_neurons : int
    fit_intercept : bool, default=True
    coordinates : Coordinates, default=None
        None takes them from the rows.

    Notes
    -----
    `value`, `value_and_gradient` and the rest are of the smooth part: loss and L2. The L1 part is
    `l1_value`, with strengths `l1` per coordinate, for the solvers that can take it.
    """

    # What `settled_weights` returns, in its order.
    weight_names: tuple[str, ...] = ("coef", "intercept")

    def __init__(
        self,
        source,
        pair: Pair,
        penalty: ElasticNet,
        n_neurons: int,
        *,
        fit_intercept=True,
        coordinates: Coordinates | None = None,
    ):
        self.source = source
        self.pair = pair
        self.penalty = penalty
        self.n_neurons = n_neurons
        self.fit_intercept = fit_intercept
        self.coordinates = coordinates or Coordinates.of(source, fit_intercept)
        self.n_features = source.n_features
        self.neuron_size = self.n_features + bool(fit_intercept)
        self.shape = (
            (1, n_neurons * self.neuron_size) if pair.coupled else (n_neurons, self.neuron_size)
        )
        per_neuron = np.zeros(self.neuron_size)
        per_neuron[: self.n_features] = 1 / self.coordinates.scale
        per_group = np.concatenate([per_neuron] * n_neurons) if pair.coupled else per_neuron
        self.l1 = penalty.l1 * per_group
        self.l2 = penalty.l2 * per_group**2

    @property
    def n_outputs(self) -> int:
        """Number of neurons that the loss compares with targets."""
        return self.n_neurons

    @property
    def weight_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of what `settled_weights` returns."""
        return (self.n_neurons, self.n_features), (self.n_neurons,)

    @property
    def convex(self) -> bool:
        """Whether there is but one valley."""
        return self.pair.convex

    @cached_property
    def row_center(self):
        """What is subtracted from rows before all else; None where they may stay as they are.

        From sparse rows it is taken of columns without a zero alone, which stay as sparse. A column
        with one in n rows lies no further than ``sqrt(n)`` standard deviations from zero.
        """
        center, far = self.coordinates.center, self.coordinates.far
        if far is None or not self.source.is_sparse:
            return None if far is None else center
        columns = np.flatnonzero(far)
        (n_stored,) = self.source.map_sum(RowsApart(columns, np.zeros(len(columns))))
        columns = columns[n_stored == self.source.n_rows]
        moved = np.zeros_like(center)
        moved[columns] = center[columns]
        return moved if len(columns) else None

    @cached_property
    def left_to_center(self):
        """What the rows, as they are read, are still to be centred by."""
        center = self.coordinates.center
        return center if self.row_center is None else center - self.row_center

    def without_rows(self):
        """A copy for what parameters alone tell, which keeps no row alive."""
        cls = type(self)
        frame = cls.__new__(cls)
        for name, value in vars(self).items():
            if name != "source" and not isinstance(getattr(cls, name, None), cached_property):
                vars(frame)[name] = value
        return frame

    # -- parameters --------------------------------------------------------------------------------

    def to_weights(self, theta):
        """Return coef (n_neurons, n_features) and intercept (n_neurons,) of `theta`.

        Of several thetas at once: axes before the last two stay in front.
        """
        theta = theta.reshape(*theta.shape[:-2], self.n_neurons, self.neuron_size)
        coef = theta[..., : self.n_features] / self.coordinates.scale
        if not self.fit_intercept:
            return coef, np.zeros(coef.shape[:-1])
        return coef, theta[..., -1] - coef @ self.coordinates.center

    def settled_weights(self, theta):
        """`to_weights`, with what a softmax layer leaves open settled: sums of zero over classes.

        Adding the same to every class changes no probability; where nothing penalises it, solvers
        end wherever they come by.
        """
        coef, intercept = self.to_weights(theta)
        if not self.pair.coupled:
            return coef, intercept
        if self.penalty.alpha == 0:
            coef = coef - coef.mean(axis=-2, keepdims=True)
        mean = np.add.reduce(intercept, axis=-1, keepdims=True) / self.n_neurons
        return coef, intercept - mean

    def balanced(self, theta):
        """Take off what a softmax layer's classes have in common: it changes no probability.

        What an L2 penalty costs falls by that. Solvers take no step that brings it back.
        """
        if not self.pair.coupled:
            return theta
        per_neuron = theta.reshape(self.n_neurons, self.neuron_size)
        mean = np.add.reduce(per_neuron) / self.n_neurons
        return (per_neuron - mean).reshape(theta.shape)

    def from_weights(self, coef, intercept):
        """Return the `theta` of these weights and biases."""
        theta = np.empty((self.n_neurons, self.neuron_size))
        theta[:, : self.n_features] = coef * self.coordinates.scale
        if self.fit_intercept:
            theta[:, -1] = intercept + coef @ self.coordinates.center
        return theta.reshape(self.shape)

    # -- sums over the rows ------------------------------------------------------------------------

    def kernel_parameters(self, theta):
        """What a kernel is called with: weights and bias, that of centred rows if it centres."""
        coef, intercept = self.to_weights(theta)
        if self.row_center is not None and self.fit_intercept:
            bias = theta.reshape(self.n_neurons, self.neuron_size)[:, -1]
            intercept = bias - coef @ self.left_to_center
        return coef, np.ascontiguousarray(intercept)

    def _kernel(self, order, gauss_newton=False, single=Single.NONE):
        centers = self.fit_intercept and not self.source.is_sparse
        center = self.coordinates.center if centers else None
        return LossSums(self.pair, order, gauss_newton, center, self.row_center, single)

    def _to_mean(self, raw):
        return raw / self.source.total_weight

    def to_gradient(self, raw):
        """A kernel's sums (n_neurons, n_features + 1) as a gradient in theta, a mean over rows."""
        g = raw[:, : self.neuron_size] / self.source.total_weight
        if self.fit_intercept:
            g[:, :-1] -= g[:, -1:] * self.left_to_center
        g[:, : self.n_features] /= self.coordinates.scale
        if self.coordinates.constant is not None:
            g[:, self.coordinates.constant] = 0.0
        return g.reshape(self.shape)

    def _to_hessian(self, raw):
        n, size, p = self.shape[1] // self.neuron_size, self.neuron_size, self.n_features
        H = raw.reshape(len(raw), n, p + 1, n, p + 1)[:, :, :size, :, :size]
        H = H / self.source.total_weight
        if self.source.is_sparse and self.fit_intercept:
            # Rows were left sparse, so the centring is done on the sums.
            H[:, :, :-1] -= self.left_to_center[:, None, None] * H[:, :, -1:]
            H[..., :-1] -= self.left_to_center * H[..., -1:]
        H[:, :, :p] /= self.coordinates.scale[:, None, None]
        H[..., :p] /= self.coordinates.scale
        if self.coordinates.constant is not None:
            H[:, :, self.coordinates.constant] = 0.0
            H[..., self.coordinates.constant] = 0.0
        return H.reshape(len(raw), self.shape[1], self.shape[1])

    def _means(self, theta, order, gauss_newton=False, single=Single.NONE):
        """The loss, and by `order` its gradient and Hessian in theta, as means over the rows."""
        if self._block is not None:
            return self._block.means(theta, order, gauss_newton)
        sums = self.source.map_sum(
            self._kernel(order, gauss_newton, single), *self.kernel_parameters(theta)
        )
        to_theta = (self._to_mean, self.to_gradient, self._to_hessian)
        return tuple(convert(raw) for convert, raw in zip(to_theta, sums, strict=False))

    @cached_property
    def _block(self) -> StandardBlock | None:
        return StandardBlock.of(self)

    @property
    def quicker_in_single(self) -> Single:
        """What of a sum over the rows is quicker in float32."""
        if self.source.is_sparse or not self.source.is_numpy or self._block is not None:
            return Single.NONE
        if self.source.dtype != np.float32 or self.row_center is not None:
            return Single.HESSIAN
        # On a kink, and between valleys, a row's side matters to the last bit.
        return Single.ROWS | Single.HESSIAN if self.pair.convex else Single.HESSIAN

    # -- value and derivatives ---------------------------------------------------------------------

    def value(self, theta):
        """Smooth part of the objective, (n_groups,)."""
        (loss,) = self._means(theta, 0)
        return loss + self.l2_value(theta)

    def value_and_gradient(self, theta, single=Single.NONE):
        """Smooth part and its gradient, with what `single` says multiplied in float32."""
        loss, gradient = self._means(theta, 1, single=single)
        slope = self.l2 * theta
        return loss + 0.5 * dot(slope, theta), gradient + slope

    def value_gradient_hessian(self, theta, gauss_newton=False, single=Single.NONE):
        """Smooth part, its gradient and its Hessian (of convex type with `gauss_newton`)."""
        loss, gradient, hessian = self._means(theta, 2, gauss_newton, single)
        slope = self.l2 * theta
        n_groups, size = self.shape
        diagonal = hessian.reshape(n_groups, -1)[:, :: size + 1]
        diagonal += self.l2
        gradient += slope
        return loss + 0.5 * dot(slope, theta), gradient, hessian

    def bend(self, theta, step):
        """Second derivative of the gradient along a step: of a pair that has `bend`."""
        if self._block is not None:
            return self._block.bend(theta, step)
        kernel = BendSums(self.pair, self.row_center)
        (raw,) = self.source.map_sum(
            kernel, *self.kernel_parameters(theta), *self.kernel_parameters(step)
        )
        return self.to_gradient(raw)

    def hessian_product(self, theta, step, gauss_newton=False):
        """The Hessian times a step: of one that moves z little it has digits that H lacks."""
        kernel = HessianProduct(self.pair, gauss_newton, self.row_center)
        (raw,) = self.source.map_sum(
            kernel, *self.kernel_parameters(theta), *self.kernel_parameters(step)
        )
        return self.to_gradient(raw) + self.l2 * step

    def curvature_diagonal(self, theta):
        """Diagonal of the (Gauss-Newton) Hessian, in theta's shape."""
        kernel = CurvatureDiagonal(self.pair, self.row_center)
        d0, d1, d2 = self.source.map_sum(kernel, *self.kernel_parameters(theta))
        center, scale = self.left_to_center, self.coordinates.scale
        diagonal = np.empty((self.n_neurons, self.neuron_size))
        d0 = d0[:, None]
        columns = (d2 - 2 * center * d1 + center**2 * d0) / scale**2
        # A column far from zero loses the difference to rounding; its scale stands in.
        diagonal[:, : self.n_features] = np.maximum(columns, 1e-6 * d0)
        if self.fit_intercept:
            diagonal[:, -1:] = d0
        return diagonal.reshape(self.shape) / self.source.total_weight + self.l2

    def row_curvature(self, theta, gauss_newton=True):
        """Curvature of each row's loss in each neuron's z, (n_rows, n_neurons).

        Of a softmax layer the probabilities.
        """
        source = self.source
        coef, intercept = self.kernel_parameters(theta)
        curvature = np.empty((source.n_rows, self.n_neurons))
        for start in range(0, source.n_rows, source.block_rows):
            rows = slice(start, min(start + source.block_rows, source.n_rows))
            X, y, _ = source.block(rows.start, rows.stop)
            X = X if self.row_center is None else centred(X, self.row_center)
            z, y = sums_and_targets(self.pair, X, y, coef, intercept)
            curvature[rows] = self.pair.derivatives(y, z, 2, gauss_newton)[2]
        return curvature

    def l2_value(self, theta):
        return 0.5 * dot(self.l2 * theta, theta)

    def l1_value(self, theta):
        return np.abs(theta) @ self.l1

    def total_l1(self, theta) -> float:
        """The L1 part of the objective."""
        return float(self.l1_value(theta).sum()) if self.penalty.l1 else 0.0

    def total(self, theta):
        """The whole objective, a number."""
        return float(self.value(theta).sum()) + self.total_l1(theta)

    def weight_gradient_norm(self, gradient):
        """Euclidean norm of the gradient in weights and biases, from the one in theta.

        Of several gradients at once: axes before the last two stay in front.
        """
        shape = gradient.shape[:-2]
        g = np.array(gradient).reshape(*shape, self.n_neurons, self.neuron_size)
        weights = g[..., : self.n_features]
        weights *= self.coordinates.scale
        if self.fit_intercept:
            weights += g[..., -1:] * self.coordinates.center
        g = g.reshape(*shape, -1)
        return np.sqrt(dot(g, g))

    # -- derivatives in a few features -------------------------------------------------------------

    def value_gradient_working(self, theta, columns, gauss_newton=False):
        """Smooth part, its whole gradient, and its Hessian in a few features of each neuron.

        Parameters
        ----------
        theta : ndarray
        columns : list of ndarray of int
            Features of each neuron; its bias always belongs to them.

        Returns
        -------
        value, gradient
        hessians : list of ndarray
            One per group, over the parameters that `working_index` names.
        """
        if self._block is not None and all(len(c) == self.n_features for c in columns):
            value, gradient, hessians = self.value_gradient_hessian(theta, gauss_newton)
            return value, gradient, list(hessians)
        kernel = self._kernel(2)
        kernel = WorkingSums(
            self.pair, tuple(columns), gauss_newton, kernel.center, kernel.row_center
        )
        loss, gradient, *raw = self.source.map_sum(kernel, *self.kernel_parameters(theta))
        value = loss / self.source.total_weight + self.l2_value(theta)
        gradient = self.to_gradient(gradient) + self.l2 * theta
        of_groups = [columns] if self.pair.coupled else [[c] for c in columns]
        hessians = [self._to_working(*pair) for pair in zip(raw, of_groups, strict=True)]
        return value, gradient, hessians

    def working_index(self, columns) -> list[np.ndarray]:
        """Where the weights of these features, and the biases, stand in theta's groups."""
        per_neuron = [np.append(c, self.n_features) if self.fit_intercept else c for c in columns]
        if not self.pair.coupled:
            return per_neuron
        return [np.concatenate([k * self.neuron_size + c for k, c in enumerate(per_neuron)])]

    def _to_working(self, H, columns):
        """A kernel's sums over some features of a group's neurons as a Hessian in theta."""
        H = H / self.source.total_weight
        features = np.concatenate([np.append(c, self.n_features) for c in columns])
        is_bias = features == self.n_features
        center = np.append(self.left_to_center, 0.0)[features]
        group = np.cumsum(is_bias) - is_bias
        bias, of_bias = np.flatnonzero(is_bias)[group], H[is_bias]
        inverse_scale = 1 / np.append(self.coordinates.scale, 1.0)[features]
        # Strip by strip and in place: of thousands of columns a copy is dear.
        for start in range(0, len(H), STRIP):
            strip = slice(start, start + STRIP)
            rows = H[strip]
            if self.source.is_sparse and self.fit_intercept:
                # Rows of X were left sparse, so the centring is done on the sums.
                rows -= center[strip, None] * of_bias[group[strip]]
                rows -= center * rows[:, bias]
            rows *= inverse_scale * inverse_scale[strip, None]
        if self.coordinates.constant is not None:
            held = np.isin(features, self.coordinates.constant)
            H[held] = 0.0
            H[:, held] = 0.0
        H[np.diag_indices(len(H))] += self.penalty.l2 * inverse_scale**2 * ~is_bias
        return H if self.fit_intercept else H[np.ix_(~is_bias, ~is_bias)]
