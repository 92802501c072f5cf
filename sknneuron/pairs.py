"""The loss as a function of the weighted sum z: activation and loss taken together.

`ChainRule` composes any two; where a closed form is known it stands in ``closed_forms.py``.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from .activations import Activation
from .losses import Loss


class Pair:
    """The loss as a function of z.

    Parameters
    ----------
    activation : Activation
    loss : Loss
    convex : bool
        Whether the loss is convex in z.

    Notes
    -----
    `z` is (n_rows, n_neurons) and `y` alike, except for a softmax layer, whose `y` may be (n_rows,)
    class codes as well.
    """

    coupled: ClassVar[bool] = False
    # Largest change of the curvature per unit of z, as a share of it; None: there is no `bend`.
    self_concordance: ClassVar[float | None] = None
    # Whether the loss nears its lower end, or rises, as an exponential does, or faster.
    has_tails: ClassVar[bool] = False
    # Whether in a tail the curvature changes by ever more per unit of z, see `curvature_rate`.
    steepens: ClassVar[bool] = False
    # Whether z may be float32 where rows are: sums are right but for the rounding of single rows.
    in_single: ClassVar[bool] = False
    # Whether it is the model of a class's probability where classes are normal, of one covariance.
    discriminant: ClassVar[bool] = False

    def __init__(self, activation: Activation, loss: Loss, convex: bool = False):
        self.activation = activation
        self.loss = loss
        self.convex = convex

    @property
    def smooth(self) -> bool:
        """Whether the loss in z has a derivative everywhere (kinks of relu apart)."""
        return self.loss.smooth

    @property
    def quadratic_pieces(self) -> bool:
        """Whether the second derivative jumps."""
        return self.loss.quadratic_pieces

    @property
    def levels_in_single(self) -> bool:
        """Whether levels may be float32, and are quicker so: off by no more than its rounding."""
        return False

    def derivatives(self, y, z, order: int, gauss_newton: bool = False):
        """Return (loss, slope, curvature) in z, element by element.

        Parameters
        ----------
        y, z : ndarray
        order : {0, 1, 2}
            What is asked for; the rest is None.
        gauss_newton : bool
            Leave out the activation's curvature, so that a convex loss gives none below zero.
            Convex pairs have no need of that and ignore it.
        """
        raise NotImplementedError

    def sums(self, y, z, sample_weight, order: int, gauss_newton: bool = False):
        """Return (loss summed over rows, slope, curvature), both times the sample weights.

        What a block adds to the objective. Pairs that know a quicker way to the sum override it.
        """
        terms, slope, curvature = self.derivatives(y, z, order, gauss_newton)
        if sample_weight is None:
            return np.add.reduce(terms, axis=0), slope, curvature
        weight = sample_weight[:, None]
        if slope is not None:
            slope = weight * slope
        if curvature is not None and not self.coupled:
            curvature = weight * curvature
        return sample_weight @ terms, slope, curvature

    def constant_terms(self, y, z):
        """Return the loss on each row of neurons without weights, whose z is (n_neurons,)."""
        return self.derivatives(y, np.full((len(y), len(z)), z, order="F"), 0)[0]

    def slope(self, y, z):
        """Return the slope in z alone: what a step of a stochastic solver needs."""
        return self.derivatives(y, z, 1)[1]

    def bend(self, y, z, dz, curvature=None):
        """Return the second derivative of the slope along dz, where `self_concordance` is known.

        Whoever has the curvature at z, as `derivatives` gives it, saves most of the work.
        """
        raise NotImplementedError

    def curvature_rate(self, y, z):
        """Return what share of it the curvature changes by per unit of z, at most.

        It is no less than one. Of pairs that `steepens` is said of; elsewhere one number will do.
        """
        raise NotImplementedError

    def level(self, z):
        """Return the activation level."""
        return self.activation(z)

    def probability(self, z):
        """Return the level rescaled to (0, 1), for a classifier."""
        return self.activation(z)

    def complement(self, z):
        """Return one minus the probability, without losing the digits of a small one."""
        return 1 - self.probability(z)

    def both_probabilities(self, z):
        """Return the complement beside the probability, (n_rows, 2)."""
        return np.concatenate([self.complement(z), self.probability(z)], axis=1)

    @property
    def threshold(self) -> float:
        """Return the z at which a classifier's probability is one half."""
        return 0.0

    def null_bias(self, y, sample_weight):
        """Return the bias of the best neuron with zero weights, one per neuron."""
        return self.activation.inverse(self.loss.optimal_level(y, sample_weight))

    def of_classes(self, n_classes: int) -> Pair:
        """Return the pair told of classes that some rows may lack; itself unless it cares."""
        return self

    def smoothed(self, width: float) -> Pair:
        """Return the pair with the loss's Moreau envelope; itself if the loss has none."""
        loss = self.loss.smoothed(width)
        return self if loss is self.loss else type(self)(self.activation, loss, self.convex)

    def pieces(self, y):
        """Return (kink in z, slope below, slope above) of two straight pieces; None of others."""
        return None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.activation!r}, {self.loss!r})"


class ChainRule(Pair):
    """Any loss of any activation: ``loss'(y, f(z)) f'(z)`` and so on."""

    @property
    def levels_in_single(self) -> bool:
        loss = self.loss
        # One with an end may be infinite where rounding takes a level there.
        is_everywhere = loss.smooth and not loss.has_ends
        return self.activation.quicker_in_single and is_everywhere

    def derivatives(self, y, z, order, gauss_newton=False):
        f, loss = self.activation, self.loss
        with np.errstate(all="ignore"):
            if order == 0:
                return loss(y, f(z)), None, None
            bends = order == 2 and not gauss_newton
            a, f1, *f2 = f.with_derivatives(z) if bends else f.with_derivative(z)
            terms, slope_a = loss.with_derivative(y, a)
            slope = slope_a * f1
            if loss.has_ends:
                # At the end of a range that a target is at, 0 / 0: there is nowhere to go.
                np.copyto(slope, 0, where=np.isnan(slope) & np.isfinite(terms))
            if order == 1:
                return terms, slope, None
            curvature = loss.second_derivative(y, a) * f1 * f1
            if bends:
                curvature += slope_a * f2[0]
                if self.convex:
                    # Far out the two parts cancel, but for rounding.
                    np.maximum(curvature, 0, out=curvature)
            # Where a level all but underflows, inf * 0 says nothing: flat will do.
            np.copyto(curvature, 0, where=~np.isfinite(curvature))
        return terms, slope, curvature

    def sums(self, y, z, sample_weight, order, gauss_newton=False):
        if order != 1 or sample_weight is not None or self.loss.has_ends:
            return super().sums(y, z, sample_weight, order, gauss_newton)
        # What most passes of a solver ask for.
        with np.errstate(all="ignore"):
            a, f1 = self.activation.with_derivative(z)
            total, slope_a = self.loss.sum_with_derivative(y, a)
            return total, slope_a * f1, None

    def constant_terms(self, y, z):
        # The activation looks at one row in place of all.
        return self.derivatives(y, z[None], 0)[0]


class IdentityPair(Pair):
    """The identity with any loss: z is the level."""

    def slope(self, y, z):
        return self.loss.derivative(y, z)

    def pieces(self, y):
        return self.loss.pieces(y)

    def derivatives(self, y, z, order, gauss_newton=False):
        loss = self.loss
        # A step far too long may square its way to infinity.
        with np.errstate(over="ignore", invalid="ignore"):
            return (
                loss(y, z),
                loss.derivative(y, z) if order else None,
                loss.second_derivative(y, z) if order == 2 else None,
            )


class Rescaled(Activation):
    """A bounded activation's level moved to (0, 1): a classifier's probability."""

    def __init__(self, activation: Activation):
        self.activation = activation
        self.low, high = activation.range
        self.width = high - self.low

    range = (0.0, 1.0)

    def __call__(self, z):
        return (self.activation(z) - self.low) / self.width

    def derivative(self, z):
        return self.activation.derivative(z) / self.width

    def second_derivative(self, z):
        return self.activation.second_derivative(z) / self.width

    def inverse(self, a):
        return self.activation.inverse(self.low + self.width * np.asarray(a))


class ClassifierChainRule(ChainRule):
    """A bounded activation in a classifier: the loss acts on the level rescaled to (0, 1)."""

    def __init__(self, activation: Activation, loss: Loss, convex: bool = False):
        super().__init__(activation, loss, convex)
        self._rule = ChainRule(Rescaled(activation), loss, convex)

    def derivatives(self, y, z, order, gauss_newton=False):
        return self._rule.derivatives(y, z, order, gauss_newton)

    def sums(self, y, z, sample_weight, order, gauss_newton=False):
        return self._rule.sums(y, z, sample_weight, order, gauss_newton)

    def probability(self, z):
        return self._rule.activation(z)

    @property
    def threshold(self) -> float:
        return float(self._rule.activation.inverse(0.5))

    def null_bias(self, y, sample_weight):
        return self._rule.activation.inverse(self.loss.optimal_level(y, sample_weight))
