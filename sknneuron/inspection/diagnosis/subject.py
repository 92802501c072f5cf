"""What the checks look at: a fitted neuron, rows, and numbers that several checks need."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import linalg, sparse

from ...pairs import Pair
from ..covariance import (
    own_scale_rows,
    pull_of_penalty,
    summed_curvature,
    summed_gradient,
)
from ..evidence import Evidence

STOCHASTIC = ("sgd", "adam")
# Curvature is worked out for at most so many parameters of one neuron (or layer).
MOST_PARAMETERS = 1500
# Share of the largest curvature that keeps a singular matrix solvable.
RIDGE = 1e-9
# Shares of a Newton step that are tried out.
STEPS = (1.0, 0.5, 0.2, 0.05, 0.01)
# Factors that weights are tried with.
LARGER = (1.2, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 1000.0, 10_000.0)


@dataclass
class Subject:
    """A fitted neuron, rows held against it, and what checks ask about both.

    Parameters
    ----------
    evidence : Evidence
    row_numbers : ndarray of int
        What its rows are numbered among those that were given.
    """

    evidence: Evidence
    row_numbers: np.ndarray

    @property
    def neuron(self):
        return self.evidence.neuron

    @property
    def pair(self) -> Pair:
        return self.evidence.pair

    @property
    def has_targets(self) -> bool:
        return self.evidence.y is not None

    @property
    def is_classifier(self) -> bool:
        return hasattr(self.neuron, "classes_")

    @property
    def is_multilabel(self) -> bool:
        return getattr(self.neuron, "multilabel_", False)

    @property
    def solver(self) -> str:
        return self.neuron.solver_

    @property
    def is_stochastic(self) -> bool:
        return self.solver in STOCHASTIC

    @property
    def in_parts(self) -> bool:
        """Whether the neuron was trained by `partial_fit`, which has no end."""
        return hasattr(self.neuron, "optimizer_state_")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the neuron's inputs: of the raw column, where one is an input by itself."""
        inside = self.evidence.inside
        names = list(inside.plain_names)
        for column in inside.columns:
            if column.is_number and len(column.inputs) == 1:
                names[column.inputs[0]] = column.name
        return tuple(names)

    def column(self, j: int):
        """The raw column that feeds this input; None where several do or none is known."""
        inside = self.evidence.inside
        found = [column for column in inside.columns if j in column.inputs]
        return found[0] if len(found) == 1 else None

    def raw_value(self, row: int, j: int) -> float:
        """What this row has in the raw column of a number; its input where that is not known."""
        value, column = self.evidence.X[row, j], self.column(j)
        if column is None or not column.is_number or len(column.inputs) != 1:
            return float(value)
        return float((value - column.offset[0]) / column.slope[0])

    @property
    def n_neurons(self) -> int:
        return len(self.evidence.inside.neuron_names)

    def of_neuron(self, k: int) -> str:
        """Words that say which neuron, where there are several."""
        return f" (neuron '{self.evidence.inside.neuron_names[k]}')" if self.n_neurons > 1 else ""

    def of_neurons(self, numbers: list[int]) -> str:
        """Words that say which neurons, where there are several."""
        if len(numbers) == 1 or self.n_neurons == 1:
            return self.of_neuron(numbers[0])
        return f" (for {len(numbers)} of {self.n_neurons} neurons)"

    # -- training ----------------------------------------------------------------------------------

    @cached_property
    def history(self) -> dict[str, np.ndarray]:
        """Entries of `history_` of the last fit that were measured on all rows."""
        history = getattr(self.neuron, "history_", {})
        if not history:
            return {}
        kept = history["n_rows"] == history["n_rows"][-1]
        if self.neuron.warm_start and not self.in_parts:
            kept &= history["iteration"] >= history["iteration"][-1] - self.neuron.n_iter_
        return {key: values[kept] for key, values in history.items()}

    # -- columns -----------------------------------------------------------------------------------

    @cached_property
    def scale(self) -> np.ndarray:
        """Standard deviation of each input; 0 for one that is constant but for rounding."""
        deviation = self.evidence.deviation
        return np.where(deviation > 1e-9 * np.abs(self.evidence.mean), deviation, 0.0)

    @cached_property
    def largest(self) -> np.ndarray:
        """How far from its mean the furthest value of each input lies."""
        X, mean = self.evidence.X, self.evidence.mean
        if sparse.issparse(X):
            high, low = X.max(axis=0).toarray().ravel(), X.min(axis=0).toarray().ravel()
        else:
            high, low = X.max(axis=0), X.min(axis=0)
        return np.maximum(high - mean, mean - low)

    @cached_property
    def is_two_valued(self) -> np.ndarray:
        """Which inputs take two values only, as dummies do."""
        X = self.evidence.X
        if sparse.issparse(X):
            columns = sparse.csc_array(X)
            columns.eliminate_zeros()
            found = np.diff(columns.indptr) == 0
            starts = columns.indptr[:-1][~found]
            if len(starts):
                low = np.minimum.reduceat(columns.data, starts)
                found[~found] = low == np.maximum.reduceat(columns.data, starts)
            return found
        low, high = X.min(axis=0), X.max(axis=0)
        return np.all((low == X) | (high == X), axis=0)

    # -- losses ------------------------------------------------------------------------------------

    def mean_loss(self, z, members=slice(None)) -> np.ndarray:
        """Mean loss at these weighted sums, one per neuron; one for all of a softmax layer.

        `members` says whose sums they are; all of a softmax layer's are needed.
        """
        y = self.evidence.y if self.pair.coupled else self.evidence.y[:, members]
        terms = self.pair.derivatives(y, z, 0)[0]
        return self.evidence.weight @ terms / self.evidence.total_weight

    @cached_property
    def constant_targets(self) -> np.ndarray:
        """Numbers of the neurons whose targets are all the same."""
        return np.flatnonzero(np.ptp(self.evidence.y, axis=0) == 0)

    @cached_property
    def loss(self) -> np.ndarray:
        return self.mean_loss(self.evidence.z)

    @cached_property
    def null_z(self) -> np.ndarray:
        """Weighted sums of the best neuron without weights."""
        evidence = self.evidence
        bias = np.zeros(self.n_neurons)
        if self.neuron.fit_intercept:
            bias = np.asarray(self.pair.null_bias(evidence.y, evidence.weight))
            if bias.shape != (self.n_neurons,):
                # Rows that lack the last classes of a softmax layer.
                bias = np.append(bias, np.full(self.n_neurons - len(bias), -30.0))
        return np.broadcast_to(bias, evidence.z.shape)

    @cached_property
    def null_loss(self) -> np.ndarray:
        """Mean loss of the best neuron without weights."""
        return self.mean_loss(self.null_z)

    @cached_property
    def least_loss(self) -> np.ndarray:
        """Mean loss if every level were its target."""
        if self.is_classifier:
            return np.zeros_like(self.loss)
        y, (low, high) = self.evidence.y, self.pair.activation.range
        level = np.clip(y, low, high)
        if self.pair.loss.level_range[0] == 0:
            level = np.maximum(level, 1e-300)
        with np.errstate(all="ignore"):
            terms = self.pair.loss(y, level)
        return np.nan_to_num(self.evidence.weight @ terms / self.evidence.total_weight)

    @cached_property
    def explained(self) -> np.ndarray:
        """Share of the loss that the weights explain, one per neuron: R2, or its like."""
        span = self.null_loss - self.least_loss
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(span > 0, (self.null_loss - self.loss) / span, np.nan)

    @property
    def explained_in_all(self) -> float:
        """The same of all neurons together."""
        span = (self.null_loss - self.least_loss).sum()
        return float(1 - (self.loss - self.least_loss).sum() / max(span, 1e-300))

    @property
    def n_used_inputs(self) -> int:
        """Number of inputs with a weight."""
        return int(np.count_nonzero(np.any(self.evidence.inside.coef, axis=0)))

    @property
    def gain(self) -> float:
        """What the weights win over a neuron without any, in the objective's unit."""
        return float(self.null_loss.sum() - self.loss.sum())

    @cached_property
    def unexplained_noise(self) -> float:
        """Dispersion of the targets about the levels: the unit in which a gain is significant."""
        loss = self.pair.loss
        if loss.fixed_dispersion or self.pair.coupled or self.is_classifier:
            return 1.0
        value = loss.dispersion(self.evidence.y, self.evidence.level, self.evidence.weight)
        return float(np.mean(value))

    @cached_property
    def gain_of_larger_weights(self) -> float:
        """What all weights together would win if they were larger, the mean of z kept."""
        z, weight = self.evidence.z, self.evidence.weight
        mean = weight @ z / self.evidence.total_weight
        losses = [self.mean_loss(mean + t * (z - mean)).sum() for t in LARGER]
        return float(max(self.loss.sum() - min(losses), 0.0))

    def robust_delta(self, k: int) -> float:
        """Delta of a Huber loss for which few rows of this neuron are outliers."""
        y, level = self.evidence.y[:, k], self.evidence.level[:, k]
        # A fit that outliers have bent may be further from the others than a constant is.
        spread = min(np.median(np.abs(v - np.median(v))) or np.inf for v in (y - level, y))
        return float(f"{1.35 * 1.4826 * spread:.2g}") if np.isfinite(spread) else 1.0

    # -- curvature ---------------------------------------------------------------------------------

    @cached_property
    def has_curvature(self) -> bool:
        """Whether the loss has a curvature to go by, and the neuron is small enough for it."""
        size = (self.evidence.X.shape[1] + 1) * (self.n_neurons if self.pair.coupled else 1)
        entries = self.evidence.n_rows * self.evidence.X.shape[1]
        return (
            self.has_targets
            and self.pair.loss.smooth
            and size <= MOST_PARAMETERS
            and entries <= 50_000_000
            and bool(np.all(np.isfinite(self.evidence.z)))
        )

    @cached_property
    def _own_scale(self):
        return own_scale_rows(self.evidence)

    @cached_property
    def groups(self) -> list[list[int]]:
        """Neurons that share their parameters' curvature."""
        everyone = list(range(self.n_neurons))
        return [everyone] if self.pair.coupled else [[k] for k in everyone]

    def unused_gain(self, with_penalty: bool) -> float:
        """What a Newton step would still win, of the objective or of the loss without its penalty.

        Measured at the end of the step (or a part of it), not extrapolated.
        """
        if with_penalty not in self._unused:
            self._unused[with_penalty] = sum(
                self._gain_of_step(members, with_penalty) for members in self.groups
            )
        return self._unused[with_penalty]

    @cached_property
    def _unused(self) -> dict[bool, float]:
        return {}

    def _gain_of_step(self, members: list[int], with_penalty: bool) -> float:
        evidence = self.evidence
        rows, to_raw = self._own_scale
        _, slope, curvature = evidence.derivatives(2, gauss_newton=True)
        # A loss that is not convex in its level bends down on some rows.
        curvature = np.maximum(curvature[:, members], 0.0)
        H = summed_curvature(rows, curvature, evidence.weight, self.pair.coupled)
        gradient = summed_gradient(rows, slope[:, members], evidence.weight)
        back = np.kron(np.eye(len(members)), to_raw)
        l2 = evidence.penalty[1] * with_penalty * evidence.total_weight
        if l2:
            gradient = gradient + pull_of_penalty(evidence, members, back)
            strength = np.tile(np.append(np.full(evidence.X.shape[1], l2), 0.0), len(members))
            H = H + back.T @ (strength[:, None] * back)
        step = -(back @ newton_step(H, gradient)).reshape(len(members), -1)
        coef = evidence.inside.coef[members]
        dz = np.asarray(evidence.X @ step[:, :-1].T) + step[:, -1]
        z, now = evidence.z[:, members], self.loss[0 if self.pair.coupled else members].sum()
        won = [0.0]
        for t in STEPS:
            loss = self.mean_loss(z + t * dz, members).sum()
            change = l2 / evidence.total_weight / 2
            change *= ((coef + t * step[:, :-1]) ** 2).sum() - (coef**2).sum()
            won.append(float(now - loss - change))
        return max(w for w in won if np.isfinite(w))

    @cached_property
    def weight_gradient(self) -> np.ndarray:
        """Gradient of the mean loss in each weight, (n_neurons, n_inputs), bias adjusted."""
        slope = self.evidence.derivatives(1)[1] * self.evidence.weight[:, None]
        gradient = np.asarray(self.evidence.X.T @ slope).T
        if self.neuron.fit_intercept:
            gradient = gradient - slope.sum(axis=0)[:, None] * self.evidence.mean
        return gradient / self.evidence.total_weight

    @cached_property
    def column_curvature(self) -> np.ndarray:
        """Mean curvature of the loss in each weight, (n_neurons, n_inputs), bias adjusted."""
        evidence = self.evidence
        curvature = evidence.derivatives(2, gauss_newton=True)[2]
        if self.pair.coupled:
            curvature = curvature * (1 - curvature)
        d = evidence.weight[:, None] * curvature / evidence.total_weight
        X = evidence.X
        squares = X.multiply(X) if sparse.issparse(X) else X**2
        total = np.maximum(d.sum(axis=0), 1e-300)[:, None]
        first, second = np.asarray(X.T @ d).T, np.asarray(squares.T @ d).T
        centred = second - first**2 / total if self.neuron.fit_intercept else second
        return np.maximum(centred, 0.0)

    def named(self, columns, n: int = 3) -> str:
        """Words for these inputs."""
        words = [repr(self.names[j]) for j in columns[:n]]
        more = len(columns) - len(words)
        return ", ".join(words) + (f" and {more} more" if more > 0 else "")


def newton_step(H, gradient):
    """Solve ``H step = gradient``, with a ridge of rounding's size where H is singular."""
    diagonal = np.diag(H)
    size = diagonal.max(initial=0.0)
    if not size > 1e-200:
        return np.zeros_like(gradient)
    return linalg.solve(H / size + RIDGE * np.eye(len(H)), gradient / size, assume_a="pos")
