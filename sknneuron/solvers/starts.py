"""Where to start from, for a pair that is not convex."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .sample import Sample

# A row whose weight in a fit is this small only keeps the fit from running wild.
FAINT = 1e-4
TINY = 1e-300
# How much a fit that silent rows have flattened may be stretched.
MOST_STRETCHED = 100.0
# Where the branches of an activation that falls before it rises are looked up.
BRANCHES = np.linspace(-6.0, 12.0, 601)


class Starts:
    """Makes starts: from the targets, at random, and from kicked ends.

    Parameters
    ----------
    sample : Sample
    rng : Generator

    Notes
    -----
    Starts are (n_starts, n_groups, size).
    """

    def __init__(self, sample: Sample, rng: np.random.Generator):
        self.sample = sample
        self.rng = rng
        self.activation = sample.pair.activation
        self.low, self.high = self.activation.range
        # Flat on one side at most: relu and its kin, exp.
        self.is_open = not np.isfinite(self.high)

    # -- from the targets --------------------------------------------------------------------------

    @cached_property
    def fits(self):
        """Least squares on targets sent back through the activation."""
        return self._fits(self._open_targets() if self.is_open else self._bounded_targets())

    @property
    def flattens(self) -> bool:
        """Whether silent rows flatten fits to all rows alike, as those of a relu do."""
        return bool(self.activation.kinks) and self.activation.attains_low

    def stretched(self):
        """Fits, those to all rows alike stretched to meet the rows that are surely active.

        So much nearer to their ends they begin.
        """
        fits = self.fits.copy()
        fits[::2] = self._stretched(fits[::2])
        return fits

    def others(self):
        """Mirror images of fits, and fits in which an open activation is silent on many rows."""
        flips = self.fits[:3].copy()
        flips[..., : self.sample.n_features] *= -1
        if not self.is_open:
            return flips
        return np.concatenate([self._fits(self._silent_targets()), flips])

    def _fits(self, targets):
        """Fits of z to pairs of targets and weights, each (n_rows, n_groups)."""
        sample = self.sample
        # Columns of one piece each, fit by fit and in it group by group.
        both = np.empty((2, len(targets), sample.n_groups, sample.n_rows))
        for i, (target, weight) in enumerate(targets):
            both[0, i].T[...] = target
            both[1, i].T[...] = weight
        target, weight = both.reshape(2, -1, sample.n_rows)
        theta = sample.least_squares(target.T, weight.T)
        return theta.reshape(len(targets), sample.n_groups, sample.size)

    def _stretched(self, theta):
        """Fits whose z have the mean and slope of the targets on rows that are surely active."""
        sample, y = self.sample, self.sample.levels.T
        active = sample.weight * (y > 0.1 * y.max(axis=1, keepdims=True))
        active /= np.maximum(active.sum(axis=1, keepdims=True), TINY)
        z = theta @ sample.columns
        mean_z, mean_y = (np.add.reduce(active * level, axis=-1) for level in (z, y))
        off = z - mean_z[..., None]
        weighted = active * off
        slope = np.add.reduce(weighted * y, axis=-1)
        slope /= np.maximum(np.add.reduce(weighted * off, axis=-1), TINY)
        slope = np.clip(slope, 1.0, MOST_STRETCHED)
        theta = slope[..., None] * theta
        if sample.size > sample.n_features:
            theta[..., -1] += mean_y - slope * mean_z
        return theta

    def _sent_back(self, margin):
        """The z of the targets, which are kept `margin` inside the range."""
        return self._inverse(np.clip(self.sample.levels, self.low + margin, self.high - margin))

    def _inverse(self, level, *, falling: bool = False):
        """The z of these levels, on the rising or the falling branch."""
        if self.activation.monotone:
            return self.activation.inverse(level)
        # The exact inverse is a search per level; a start need not be exact.
        levels, lowest = self._branches
        if falling:
            return np.interp(-level, -levels[: lowest + 1], BRANCHES[: lowest + 1])
        z = np.interp(level, levels[lowest:], BRANCHES[lowest:])
        return np.where(level > levels[-1], level, z)

    @cached_property
    def _branches(self):
        """Levels of an activation that falls before it rises, and where among them it turns."""
        levels = self.activation(BRANCHES)
        return levels, int(np.argmin(levels))

    def _precision(self, z):
        """The delta method: an error in the level is one of 1 / f'(z) times that in z."""
        return self.activation.derivative(z) ** 2

    def _bounded_targets(self):
        margins = np.array([0.02, 0.1, 0.25]) * (self.high - self.low)
        z = self._sent_back(margins[:, None, None])
        return [*zip(z, self._precision(z), strict=True), (z[-1], 1.0)]

    def _open_targets(self):
        # Far up these activations are the identity (or grow faster), far down they are flat.
        y = self.sample.levels
        z = self._up()
        targets = [(z, self._precision(z))]
        if self.activation.attains_low:
            # Rows that are surely active say most.
            targets.append((z, (y > 0.1 * y.max(axis=0)) + FAINT))
        else:
            z_soft = self._sent_back(0.3 * self.sample.spread)
            targets.append((z_soft, self._precision(z_soft)))
        targets += [(y, 1.0), (2 * y - self.sample.mean_level, 1.0)]
        if not self.activation.monotone:
            # Low levels may come from the falling branch as well.
            falling = self._inverse(y, falling=True)
            both = np.where(y > self.activation(np.zeros(1)), z, falling)
            targets += [(both, self._precision(both)), (falling, self._precision(falling))]
        return targets

    def _up(self):
        """The z of the targets, those out of reach just inside the range of an open activation."""
        return self._sent_back(0.01 * self.sample.spread)

    def _silent_targets(self):
        # Rows high enough to be surely active; of the others only the side is known.
        y, z, targets = self.sample.levels, self._up(), []
        top = y.max(axis=0)
        for bound in (0.1 * top, 0.3 * top, np.median(y, axis=0)):
            targets.append((z, (y > bound) + FAINT))
        # They may be as far out on the flat side as the active ones are in.
        targets.append((np.where(y > 0.1 * top, z, -z.max(axis=0)), 1.0))
        return targets

    # -- at random ---------------------------------------------------------------------------------

    def random(self, n: int):
        """Random weights; of open activations half are fits to the rows beyond random planes."""
        sample, rng = self.sample, self.rng
        theta = rng.standard_normal((n, sample.n_groups, sample.size))
        # No row would ever move a weight that none feels: it would stay as it was drawn.
        theta *= sample.is_felt
        weights = theta[..., : sample.n_features].reshape(-1, sample.n_features)
        z = (weights @ sample.columns[: sample.n_features]).T
        spread = z.std(axis=0).reshape(n, sample.n_groups)
        # Rows that are all the same leave weights no scale to take.
        spread = np.where(spread > TINY, spread, 1.0)
        size = rng.choice([0.5, 2.0, 10.0], size=spread.shape)
        if self.is_open:
            size = size * np.where(rng.random((n, 1)) < 0.5, sample.spread, 1.0)
        theta *= (size / spread)[:, :, None]
        if sample.size > sample.n_features:
            theta[..., -1] = size * rng.standard_normal(size.shape)
        if self.is_open and n > 1:
            theta[: n // 2] = self._beyond_planes(z, n // 2)
        return theta

    def _beyond_planes(self, z, n):
        """Fits to the rows above a bound on z; every other one wants the rest far below."""
        up, targets = self._up(), []
        for i in range(n):
            side = z[:, i * self.sample.n_groups : (i + 1) * self.sample.n_groups]
            above = side > np.quantile(side, self.rng.uniform(0.1, 0.95), axis=0)
            if i % 2:
                targets.append((np.where(above, up, -up.max(axis=0)), 1.0))
            else:
                targets.append((up, above + FAINT))
        return self._fits(targets)

    # -- from ends ---------------------------------------------------------------------------------

    def kicks(self, n: int, ends):
        """Low ends out of their valleys: every other one towards rows that it fits badly.

        Parameters
        ----------
        n : int
        ends : list of list of ndarray
            Per group, lowest first.
        """
        starts = np.empty((n, self.sample.n_groups, self.sample.size))
        for k, thetas in enumerate(ends):
            for i in range(n):
                theta = thetas[i // 2 % len(thetas)]
                kick = self._towards_rows(theta, k) if i % 2 else self._anywhere(theta)
                starts[i, k] = theta + kick
        return starts

    def _anywhere(self, theta):
        size = self.rng.choice([0.03, 0.1, 0.3, 1.0]) * np.linalg.norm(theta)
        kick = self.rng.standard_normal(len(theta)) * self.sample.is_felt
        return size * kick / np.sqrt(len(theta))

    def _towards_rows(self, theta, k):
        """The least change that takes one to three badly fitted rows to their targets, or past."""
        sample = self.sample
        y, z = sample.y[:, k : k + 1], sample.pre_activation(theta[None])
        margin = 0.05 * (sample.spread if self.is_open else self.high - self.low)
        target = self._sent_back(margin)[:, k : k + 1]
        gain = sample.pair.derivatives(y, z, 0)[0] - sample.pair.derivatives(y, target, 0)[0]
        chance = np.maximum(gain[:, 0], 0.0) * sample.weight
        chance = chance + 1e-12 * chance.max() + TINY
        rows = self.rng.choice(len(z), self.rng.integers(1, 4), p=chance / chance.sum())
        change = self.rng.choice([1.0, 2.0]) * (target - z)[rows, 0]
        return sample.least_change(rows, change)
