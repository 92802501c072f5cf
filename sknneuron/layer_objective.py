"""The training objective of a layer, as a solver sees it.

    F = sum_i s_i loss(y_i, g(f(x_i W + b) V + c)) / sum_i s_i + alpha / 2 * (|W|^2 + |V|^2)

with the hidden neurons' activation f and the output activation g. `theta` is one group, (1, size):
the hidden neurons one after the other, weights and then bias, on centred and scaled columns; then
the output neurons, in units of the targets' spread and with a bias of zero where it is that of the
best output without inputs. So ``theta = 0`` is a layer that knows nothing but the targets' mean.
"""

from __future__ import annotations

import math
from copy import copy
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from .activations import Activation
from .block import MAX_ENTRIES
from .coordinates import FAR_FROM_ZERO, N_COORDINATE_ROWS
from .kernels import Single
from .layer_block import LayerBlock
from .layer_kernels import LayerCurvature, LayerGradient, LayerSums, combined
from .objective import Objective
from .pairs import Pair
from .penalties import ElasticNet
from .products import column_moments

# Levels of a saturated neuron can lie as close together as 1e-300: squared they would be gone.
LEAST_SCALE = 1e-120
# Entries of X up to which it is copied in float32, and products with them for which that pays.
NARROW_ENTRIES = 1 << 20
NARROW_WORK = 1 << 17
# And the size of the loss between which float32 holds its derivatives.
NARROW_RANGE = 1e-20, 1e20
# How much more rounding adds then: single products are off by more, but not all one way.
NARROW_ROUNDING = 1e-8 / float(np.finfo(np.float64).eps)
# Rows on which history counts flat levels. On more it would take as long as a step does.
N_COUNTED_ROWS = 256
CACHED_LEVELS = 1 << 16


@dataclass(frozen=True)
class LayerCoordinates:
    """Centre and scale of the columns, and of the outputs."""

    center: np.ndarray
    scale: np.ndarray
    output_center: np.ndarray
    output_scale: np.ndarray

    @classmethod
    def of(cls, source, pair: Pair, targets, alpha: float) -> LayerCoordinates:
        """From at most `N_COORDINATE_ROWS` rows and their weights.

        Weights count, unlike in a neuron's coordinates: where there are several valleys, the start
        decides which one is found, and a weight of k is to be k copies there as well. `targets` are
        the y and weights that the best output bias follows from.

        What curves the objective along a weight is the variance of its column and the penalty
        `alpha`, which in small units is far the larger one: the scale is that of both together.
        """
        rows = source.spread(N_COORDINATE_ROWS)
        weight = rows.sample_weight
        if weight is None or not weight.any():
            weight = np.ones(rows.n_rows)
        center, variance = column_moments(rows.X, True, weight)
        scale = np.sqrt(np.maximum(variance, 0))
        size = np.abs(center)
        constant = ~(scale > 1e-12 * size)
        scale[constant] = np.where(size[constant] > 0, size[constant], 1.0)
        scale = np.hypot(np.maximum(scale, LEAST_SCALE), np.sqrt(alpha))
        bias = np.atleast_1d(pair.null_bias(*targets))
        return cls(center, scale, bias, _output_scale(rows, bias, pair))

    @property
    def far(self):
        """Columns so far from zero that rows must be centred before all else; None without any."""
        far = np.abs(self.center) > FAR_FROM_ZERO * self.scale
        return far if far.any() else None

    @classmethod
    def names(cls) -> list[str]:
        """Names of the arrays."""
        return [field.name for field in fields(cls)]

    def state(self) -> dict[str, np.ndarray]:
        """The arrays by name, for a training that is to go on in the same coordinates."""
        return {name: np.array(getattr(self, name)) for name in self.names()}


def _output_scale(rows, center, pair: Pair):
    """Spread of the targets where outputs are in their units, else ones."""
    if pair.activation.name != "identity" or pair.loss.margin:
        return np.ones(len(center))
    weight = rows.sample_weight
    weight = None if weight is None or not weight.any() else weight
    spread = np.sqrt(np.average((rows.y - center) ** 2, axis=0, weights=weight))
    return np.where(spread > 1e-12 * np.abs(center), spread, 1.0)


class LayerObjective(Objective):
    """The objective of hidden and output neurons over the rows of a source.

    Parameters
    ----------
    source : source of rows
    activation : Activation
        Of the hidden neurons.
    pair : Pair
        The loss as a function of the outputs.
    alpha : float
        Strength of the L2 penalty on the weights of both layers.
    n_neurons, n_outputs : int
    coordinates : LayerCoordinates, default=None
        None takes them from the rows.
    """

    coordinates: LayerCoordinates  # type: ignore[assignment]
    weight_names = ("coef", "intercept", "output_coef", "output_intercept")
    # Whatever the loss of the outputs is.
    convex = False
    # Two layers are no sum of products with the rows: the kernel does it.
    _block = None

    def __init__(
        self,
        source,
        activation: Activation,
        pair: Pair,
        alpha: float,
        n_neurons: int,
        n_outputs: int,
        *,
        coordinates: LayerCoordinates | None = None,
    ):
        self.source = source
        self._activation = activation
        self.pair = pair
        self.penalty = ElasticNet(alpha, 0.0)
        self.n_neurons = n_neurons
        self._n_outputs = n_outputs
        self.fit_intercept = True
        self.coordinates = coordinates or LayerCoordinates.of(
            source, pair, self.null_model.targets(), alpha
        )
        self.n_features = source.n_features
        self.neuron_size = self.n_features + 1
        self.n_hidden = n_neurons * self.neuron_size
        self._shapes = (n_neurons, self.neuron_size), (n_outputs, n_neurons + 1)
        self.shape = (1, self.n_hidden + n_outputs * (n_neurons + 1))
        self.l1 = np.zeros(self.shape[1])
        hidden, output = self.split(np.zeros(self.shape))
        hidden[:, :-1] = 1 / self.coordinates.scale
        output[:, :-1] = self.coordinates.output_scale[:, None]
        self.l2 = alpha * np.concatenate([hidden, output], axis=None) ** 2

    @property
    def activation(self) -> Activation:
        return self._activation

    @property
    def n_outputs(self) -> int:
        return self._n_outputs

    # -- parameters --------------------------------------------------------------------------------

    def split(self, theta):
        """Views (n_neurons, n_features + 1) and (n_outputs, n_neurons + 1) of theta."""
        several, n = theta.shape[:-2], self.n_hidden
        of_hidden, of_output = self._shapes
        return (
            theta[..., :n].reshape(several + of_hidden),
            theta[..., n:].reshape(several + of_output),
        )

    def to_weights(self, theta):
        """Return coef, intercept, output_coef and output_intercept of `theta`."""
        hidden, output = self.split(theta)
        coordinates = self.coordinates
        coef = hidden[..., :-1] / coordinates.scale
        output = output * coordinates.output_scale[:, None]
        return (
            coef,
            hidden[..., -1] - coef @ coordinates.center,
            output[..., :-1],
            output[..., -1] + coordinates.output_center,
        )

    def settled_weights(self, theta):
        """`to_weights`, a softmax layer's output biases with a sum of zero over classes."""
        coef, intercept, output_coef, output_intercept = self.to_weights(theta)
        if self.pair.coupled:
            output_intercept = output_intercept - output_intercept.mean(axis=-1, keepdims=True)
            if self.penalty.alpha == 0:
                output_coef = output_coef - output_coef.mean(axis=-2, keepdims=True)
        return coef, intercept, output_coef, output_intercept

    @property
    def weight_shapes(self):
        return (
            (self.n_neurons, self.n_features),
            (self.n_neurons,),
            (self.n_outputs, self.n_neurons),
            (self.n_outputs,),
        )

    def from_weights(self, coef, intercept, output_coef, output_intercept):  # type: ignore[override]
        """Return the `theta` of these weights and biases."""
        theta = np.empty(self.shape)
        hidden, output = self.split(theta)
        coordinates = self.coordinates
        hidden[:, :-1] = coef * coordinates.scale
        hidden[:, -1] = intercept + coef @ coordinates.center
        output[:, :-1] = output_coef
        output[:, -1] = output_intercept - coordinates.output_center
        output /= coordinates.output_scale[:, None]
        return theta

    def kernel_parameters(self, theta):
        """What `batch_kernel` is called with: `to_weights`, the biases those of centred rows if it
        centres them."""
        coef, intercept, *output = self.to_weights(theta)
        if self.row_center is not None:
            intercept = self.split(theta)[0][:, -1] - coef @ self.left_to_center
        return coef, intercept, *output

    # -- the objective and its derivatives ---------------------------------------------------------

    def _kernel(self, order, gauss_newton=False, single=Single.NONE):
        return LayerSums(self.activation, self.pair, order, self.row_center)

    @property
    def batch_kernel(self) -> LayerGradient:
        """Sums the gradient over the rows of a batch, for `gradient_of`."""
        return LayerGradient(self.activation, self.pair, self.row_center)

    def gradient_of(self, hidden, output):
        """The gradient in theta of a kernel's sums."""
        gradient = np.empty(self.shape)
        of_hidden, of_output = self.split(gradient)
        hidden[:, :-1] -= hidden[:, -1:] * self.left_to_center
        np.divide(hidden[:, :-1], self.coordinates.scale, out=of_hidden[:, :-1])
        of_hidden[:, -1] = hidden[:, -1]
        np.multiply(output, self.coordinates.output_scale[:, None], out=of_output)
        return gradient

    def _means(self, theta, order, gauss_newton=False, single=Single.NONE):
        if self._copy is not None:
            return self._copy.means(theta, order)
        loss, *sums = self.source.map_sum(self._kernel(order), *self.kernel_parameters(theta))
        total = self.source.total_weight
        return loss / total, *(self.gradient_of(*sums) / total for _ in range(order))

    @cached_property
    def _copy(self) -> LayerBlock | None:
        small = LayerBlock.fits(self.source, MAX_ENTRIES)
        return LayerBlock(self) if small else None

    def narrowed(self) -> LayerObjective:
        """The same objective with neurons computed in float32; itself where that brings little.

        A value is right to about `rounding`, and takes half the time.
        """
        source = self.source
        work = source.n_rows * source.n_features * self.n_neurons
        low, high = NARROW_RANGE
        if work < NARROW_WORK or not LayerBlock.fits(source, NARROW_ENTRIES):
            return self
        if not low < self.null_model.absolute < high:
            return self
        narrow = copy(self)
        narrow._copy, narrow._exact = LayerBlock(self, np.float32), self
        return narrow

    _exact: LayerObjective | None = None

    @property
    def dtype(self):
        """What neurons are computed in."""
        return np.float64 if self._exact is None else np.float32

    @property
    def exact(self) -> LayerObjective:
        return self if self._exact is None else self._exact

    @property
    def block(self) -> LayerBlock:
        """The rows standardised: of dense ones that are few."""
        assert self._copy is not None
        return self._copy

    @cached_property
    def few(self) -> LayerBlock | None:
        """At most `N_COUNTED_ROWS` of the rows, evenly spaced and standardised; dense ones."""
        if self.source.is_sparse:
            return None
        return LayerBlock(self.over(self.counted), self.dtype)

    @property
    def rounding(self) -> float:
        """What rounding may add to the objective."""
        return super().rounding * (1.0 if self._exact is None else NARROW_ROUNDING)

    def value_gradient_hessian(self, theta, gauss_newton=True, single=Single.NONE):
        """Value, gradient and Gauss-Newton Hessian, which is never negative."""
        coordinates = self.coordinates
        kernel = LayerCurvature(
            self.activation,
            self.pair,
            coordinates.center,
            coordinates.scale,
            coordinates.output_scale,
        )
        total = self.source.total_weight
        hidden, _ = self.split(theta)
        sums = self.source.map_sum(kernel, hidden, *self.to_weights(theta)[2:])
        loss, gradient, hessian = (part / total for part in sums)
        hessian[np.diag_indices(len(hessian))] += self.l2
        return loss + self.l2_value(theta), gradient[None] + self.l2 * theta, hessian[None]

    def lost_in_units(self, theta):
        """Of no layer is it known: its penalty keeps weights small."""
        return 0.0, np.empty(0, dtype=np.intp)

    def weight_gradient_norm(self, gradient):
        """Euclidean norm of the gradient in weights and biases, from the one in theta."""
        in_weights = gradient[0] * self._slopes_in_weights
        hidden, _ = self.split(in_weights)
        hidden[:, :-1] += hidden[:, -1:] * self.coordinates.center
        return math.sqrt(in_weights.dot(in_weights))

    @cached_property
    def _slopes_in_weights(self):
        """Slope of each entry of theta in the weight or bias that it stands for."""
        slopes = np.ones(self.shape)
        hidden, output = self.split(slopes)
        hidden[:, :-1] = self.coordinates.scale
        output /= self.coordinates.output_scale[:, None]
        return slopes[0]

    # -- what solvers plan with --------------------------------------------------------------------

    def flat_fraction(self, theta):
        """Share of (at most `N_COUNTED_ROWS`) rows on which each neuron's derivative vanishes."""
        several = theta.reshape(-1, 1, self.shape[-1])
        # A few at a time: the levels of all of them would not stay in the cache.
        step = max(CACHED_LEVELS // (self.counted.n_rows * self.n_neurons), 1)
        shares = [self._flat_share(several[i : i + step]) for i in range(0, len(several), step)]
        return np.concatenate(shares).reshape(*theta.shape[:-2], self.n_neurons)

    def _flat_share(self, thetas):
        if self.few is not None:
            z = self.few.pre_activation(self.split(thetas)[0].reshape(-1, self.neuron_size))
        else:
            coef, intercept = self.to_weights(thetas)[:2]
            z = combined(self.counted.X, coef.reshape(-1, self.n_features)).T
            z += intercept.reshape(-1, 1)
        # numpy counts one by one, BLAS many at a time, and whole numbers exactly.
        flat = self.activation.is_flat(z).astype(np.float32)
        count = np.dot(flat, np.ones(self.counted.n_rows, np.float32))
        return count.astype(np.float64) / self.counted.n_rows

    @cached_property
    def counted(self):
        """At most `N_COUNTED_ROWS` of the rows, evenly spaced."""
        return self.source.spread(N_COUNTED_ROWS)

    def flat_everywhere(self, theta):
        """Mask of the neurons whose derivative vanishes on all watched rows."""
        flat = self.flat_fraction(theta) == 1
        return super().flat_fraction(theta) == 1 if flat.any() else flat

    def null(self):
        """`theta` of the best output bias alone."""
        return np.zeros(self.shape)

    def over(self, source) -> LayerObjective:
        return LayerObjective(
            source,
            self.activation,
            self.pair,
            self.penalty.alpha,
            self.n_neurons,
            self.n_outputs,
            coordinates=self.coordinates,
        )
