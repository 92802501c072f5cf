"""Checks of the rows and columns that the neuron was given."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse
from scipy.linalg import solve_triangular
from scipy.stats import rankdata

from ...losses import Huber
from .base import Check
from .finding import Finding

# Variance inflation of a column that others repeat.
INFLATED = 1e5
NOTABLE_CONDITION = 1e3
MOST_COLUMNS = 1500
# Share of the squared gradients on the few largest rows, and how few those are.
DOMINATED = 0.5
FEW = 0.01
# With fewer rows than this a large one is no surprise.
MANY_ROWS = 50
# Share of a column's variance that is one row's.
ONE_ROW = 0.6
RARE_CLASS = 0.1
# Share of an even share that is rare, among many classes.
RARE_CLASS_OF_EVEN = 0.4
EXPLAINS_ALL = 0.98
TELLS_ALL = 0.999
ORDERS_ALL = 0.999
# Entries of a block of columns that are ranked at once.
MOST_ENTRIES = 1_000_000
NAMED_ROWS = 20
NAMED_CLASSES = 5
# A class is hardly named if it is for less than this share of as many rows as it has.
HARDLY_NAMED = 0.1
# Squared gradient, in medians of it, past which a row is named: ten standard errors or so.
STRANGE = 200.0


class Collinear(Check):
    """Columns that other columns repeat, so that their weights are arbitrary."""

    code = "COLLINEAR"

    def __call__(self, subject) -> Iterator[Finding]:
        evidence = subject.evidence
        kept = np.flatnonzero(subject.scale > 0)
        if not 2 <= len(kept) <= MOST_COLUMNS:
            return
        if evidence.n_rows <= len(kept):
            yield Finding(
                self.code,
                "info",
                float(len(kept) / evidence.n_rows),
                f"There are {len(kept)} columns and only {evidence.n_rows} rows: weights are "
                "determined by the penalty.",
                "Choose alpha by cross-validation; do not read single weights.",
            )
            return
        R = evidence.correlation(kept)
        condition, inflation = self._inflation(R)
        repeated = {
            int(kept[j]): kept[others] for j, others in self._repeated(R, inflation).items()
        }
        # Dummies that sum to one are how levels are encoded, and no mistake.
        plain = [j for j in repeated if not subject.is_two_valued[j]]
        if plain:
            yield self._exact(subject, plain, repeated[plain[0]], condition)
            return
        numbers = np.flatnonzero(~subject.is_two_valued[kept])
        if len(numbers) < 2:
            return
        condition, inflation = self._inflation(R[np.ix_(numbers, numbers)])
        if condition > NOTABLE_CONDITION:
            worst = kept[numbers[np.argsort(-inflation)[:3]]]
            yield Finding(
                self.code,
                "info",
                condition,
                f"Columns are collinear (condition number {condition:.2g}), foremost "
                f"{subject.named(worst)}: their weights share one effect arbitrarily.",
                "Do not read their weights one by one; coef_table shows how unsure they are.",
            )

    def _exact(self, subject, columns: list[int], others, condition: float) -> Finding:
        """Columns that others determine, the first of them `others`."""
        drop = tuple(subject.names[j] for j in columns)
        return Finding(
            self.code,
            "warning",
            condition,
            f"Other columns repeat {subject.named(columns)} ({drop[0]!r} goes with "
            f"{subject.named(others)}; condition number {condition:.2g}): their weights are "
            "arbitrary, although predictions are not.",
            f"Drop {', '.join(map(repr, drop[:5]))}{' ...' if len(drop) > 5 else ''}.",
            features=drop,
        )

    @staticmethod
    def _inflation(R) -> tuple[float, np.ndarray]:
        """Condition number of a correlation matrix, and variance inflation of each column."""
        values, vectors = np.linalg.eigh(R)
        values = np.maximum(values, 1e-16 * values[-1])
        return float(values[-1] / values[0]), (vectors**2 / values).sum(axis=1)

    @staticmethod
    def _repeated(R, inflation) -> dict[int, list[int]]:
        """Columns that others determine, each with those that it goes with.

        A Cholesky factorisation that skips them. The most inflated columns come last, so that it is
        the sum that is dropped, and not one of its parts.
        """
        order = np.argsort(np.round(np.log10(inflation), 1), kind="stable")
        L = np.zeros((0, 0))
        kept: list[int] = []
        found = {}
        for j in map(int, order):
            row = solve_triangular(L, R[kept, j], lower=True) if kept else np.zeros(0)
            left = R[j, j] - row @ row
            if left < 1 / INFLATED:
                share = np.abs(solve_triangular(L, row, lower=True, trans="T"))
                strongest = np.argsort(-share, kind="stable")[:3]
                found[j] = [kept[i] for i in strongest if share[i] > 0.1 * share.max()]
                continue
            L = np.block([[L, np.zeros((len(kept), 1))], [row[None], np.sqrt(left)]])
            kept.append(j)
        return dict(sorted(found.items()))


class ConstantFeature(Check):
    """Columns with a single value: nothing can be learnt from them."""

    code = "CONSTANT_FEATURE"

    def __call__(self, subject) -> Iterator[Finding]:
        constant = np.flatnonzero(subject.scale == 0)
        if len(constant) and subject.neuron.fit_intercept:
            have, them = ("has", "it") if len(constant) == 1 else ("have", "them")
            yield Finding(
                self.code,
                "info",
                float(len(constant)),
                f"{len(constant)} of {len(subject.names)} columns {have} a single value: "
                f"{subject.named(constant)}.",
                f"Drop {them}, or put VarianceThreshold() before the neuron.",
                features=tuple(subject.names[j] for j in constant),
            )


class Imbalanced(Check):
    """A class so rare that the neuron hardly ever names it."""

    code = "IMBALANCED"
    needs_targets = True

    def __call__(self, subject) -> Iterator[Finding]:
        if not subject.is_classifier or subject.neuron.multilabel_:
            return
        classes, evidence = subject.neuron.classes_.tolist(), subject.evidence
        is_softmax = np.ndim(evidence.y) == 1
        if is_softmax:
            true = evidence.y
        else:
            true = evidence.y.argmax(axis=1) if subject.n_neurons > 1 else evidence.y[:, 0] > 0
        z = evidence.z - subject.pair.threshold
        named = z.argmax(axis=1) if subject.n_neurons > 1 else z[:, 0] > 0
        share = np.bincount(np.asarray(true, dtype=int), evidence.sample_weight, len(classes))
        share = share / share.sum()
        rare = min(RARE_CLASS, RARE_CLASS_OF_EVEN / len(classes))
        times = np.bincount(np.asarray(named, dtype=int), evidence.sample_weight, len(classes))
        n_true = share * evidence.sample_weight.sum()
        is_rare = (share > 0) & (share < rare)
        hardly = is_rare & (times < HARDLY_NAMED * n_true)
        if hardly.any():
            k = np.flatnonzero(hardly)
            n_named = f"{times[k].sum():.6g}" if times[k].any() else "none"
            yield Finding(
                self.code,
                "warning",
                float(share[k].min()),
                f"{self._rows_of(classes, share, k)} ({n_true[k].sum():.6g}), and the neuron names "
                f"{'it' if len(k) == 1 else 'them'} for {n_named}.",
                "Set class_weight='balanced', or move the threshold (TunedThresholdClassifierCV).",
                params={"class_weight": "balanced"},
            )
        if (is_rare & ~hardly).any():
            k = np.flatnonzero(is_rare & ~hardly)
            yield Finding(
                self.code,
                "info",
                float(share[k].min()),
                f"{self._rows_of(classes, share, k)}.",
                "Judge by balanced accuracy or average precision rather than by accuracy.",
            )

    @staticmethod
    def _rows_of(classes, share, numbers) -> str:
        if len(numbers) == 1:
            return f"Class '{classes[numbers[0]]}' has {share[numbers[0]]:.2%} of the rows"
        names = ", ".join(f"'{classes[k]}'" for k in numbers[:NAMED_CLASSES])
        more = len(numbers) - NAMED_CLASSES
        names += f" and {more} more" if more > 0 else ""
        return f"Classes {names} have {share[numbers].max():.2%} of the rows or less"


class Outliers(Check):
    """A few rows that dominate the gradient, or a column."""

    code = "OUTLIERS"

    def __call__(self, subject) -> Iterator[Finding]:
        yield from self._in_columns(subject)
        if subject.has_targets:
            yield from self._in_gradient(subject)

    def _in_columns(self, subject) -> Iterator[Finding]:
        X, weight = subject.evidence.X, subject.evidence.weight
        if sparse.issparse(X) or len(X) < 20:
            return
        for j in np.flatnonzero((subject.scale > 0) & ~subject.is_two_valued):
            parts = weight * (X[:, j] - np.median(X[:, j])) ** 2
            row = int(parts.argmax())
            share = parts[row] / parts.sum()
            # A column that is zero but for a few rows has no row that is out of the ordinary.
            if share > ONE_ROW and np.mean(parts > 0) > 0.1:
                number = int(subject.row_numbers[row])
                yield Finding(
                    self.code,
                    "warning" if len(X) >= MANY_ROWS else "info",
                    float(share),
                    f"Row {number} alone makes {share:.0%} of the variance of column "
                    f"{subject.names[j]!r} (it has {subject.raw_value(row, j):.4g}): it decides "
                    "that weight.",
                    "Correct or drop that row.",
                    features=(subject.names[j],),
                    rows=(number,),
                )

    def _in_gradient(self, subject) -> Iterator[Finding]:
        pair, evidence = subject.pair, subject.evidence
        n_few = max(1, int(np.ceil(FEW * evidence.n_rows)))
        unbounded = pair.loss.name in ("squared_error", "poisson", "gamma", "tweedie")
        if subject.is_classifier or not unbounded or evidence.n_rows < 20:
            return
        slope = evidence.derivatives(1)[1]
        for k in range(subject.n_neurons):
            parts = (evidence.weight * slope[:, k]) ** 2
            largest = np.argsort(-parts, kind="stable")[:n_few]
            total = parts.sum()
            # Without noise, and without a fit, a large gradient is no sign of a strange row.
            is_fit = 0 < subject.explained[k] < 1 - 1e-6
            if total <= 0 or not is_fit or parts[largest].sum() < DOMINATED * total:
                continue
            # As few of them as make that much.
            largest = largest[: 1 + int(np.argmax(parts[largest].cumsum() >= DOMINATED * total))]
            share = parts[largest].sum() / total
            who = f"{len(largest)} of {evidence.n_rows} rows make"
            if len(largest) == 1:
                who = f"Row {subject.row_numbers[largest[0]]} alone makes"
            strange = subject.row_numbers[self._strange(parts, largest)].tolist()
            yield Finding(
                self.code,
                "warning" if evidence.n_rows >= MANY_ROWS else "info",
                float(share),
                f"{who} {share:.0%} of the squared gradients{subject.of_neuron(k)}: the fit bends "
                f"towards {'it' if len(largest) == 1 else 'them'}.",
                *self._cure(subject, k, strange),
                rows=tuple(strange),
            )

    @staticmethod
    def _strange(parts, largest) -> list[int]:
        """Rows to look at: those few, or all that are far out where there are more."""
        far = np.argsort(-parts, kind="stable")[:NAMED_ROWS]
        far = far[parts[far] > STRANGE * np.median(parts)]
        return [int(i) for i in (far if len(far) > len(largest) else largest[:NAMED_ROWS])]

    @staticmethod
    def _cure(subject, k: int, strange) -> tuple[str, dict]:
        rows = ", ".join(str(i) for i in strange[:5]) + (" ..." if len(strange) > 5 else "")
        look = f"Look at rows {rows}: correct or drop them"
        if len(strange) == 1:
            look = f"Look at row {rows}: correct or drop it"
        if subject.pair.loss.name != "squared_error":
            return f"{look}.", {}
        delta = subject.robust_delta(k)
        return f"{look}, or use loss=Huber(delta={delta:g}).", {"loss": Huber(delta)}


class Leak(Check):
    """One column that alone explains nearly all of y."""

    code = "LEAK"
    needs_targets = True

    def __call__(self, subject) -> Iterator[Finding]:
        evidence = subject.evidence
        if evidence.n_rows < 10:
            return
        kept = np.flatnonzero(subject.scale > 0)[:MOST_COLUMNS]
        if len(kept) < 2:
            return
        find = self._of_classes if subject.is_classifier else self._of_values
        found = find(subject, _blocks_of_columns(evidence.X, kept))
        for j, value, what in found:
            column = subject.column(kept[j])
            name = subject.names[kept[j]] if column is None else column.name
            yield Finding(
                self.code,
                "info",
                value,
                f"Column {name!r} alone {what}.",
                f"If {name!r} is not known when predictions are made, drop it.",
                features=(name,),
            )

    @staticmethod
    def _of_values(subject, blocks):
        y = subject.evidence.y
        varying = np.flatnonzero(y.std(axis=0) > 0)
        Y = _standardised(y[:, varying])
        Y_ranks = _standardised_ranks(y[:, varying])
        found = [
            ((_standardised(X).T @ Y / len(y)) ** 2, _standardised_ranks(X).T @ Y_ranks / len(y))
            for X in blocks
        ]
        r2, alike = (np.concatenate(parts).T for parts in zip(*found, strict=True))
        for k, share, order in zip(varying, r2, np.abs(alike), strict=True):
            j = int(share.argmax())
            if share[j] > EXPLAINS_ALL:
                yield j, float(share[j]), f"explains {share[j]:.1%} of y{subject.of_neuron(k)}"
                continue
            # A logarithm, or the like, of the answer.
            j = int(order.argmax())
            if order[j] > ORDERS_ALL:
                yield j, float(order[j]), f"has the order of y{subject.of_neuron(k)}"

    @staticmethod
    def _of_classes(subject, blocks):
        y, classes = subject.evidence.y, subject.neuron.classes_.tolist()
        n = len(y)
        several = subject.n_neurons > 1
        is_class = {
            k: y == k if np.ndim(y) == 1 else y[:, k if several else 0] > 0
            for k in (range(len(classes)) if several else (1,))
        }
        is_class = {k: rows for k, rows in is_class.items() if 5 <= rows.sum() <= n - 5}
        if not is_class:
            return
        members = np.array(list(is_class.values()), dtype=float)
        n_in = members.sum(axis=1)[:, None]
        ranks = np.hstack([members @ rankdata(X, axis=0) for X in blocks])
        area = (ranks - n_in * (n_in + 1) / 2) / (n_in * (n - n_in))
        for k, tells in zip(is_class, np.maximum(area, 1 - area), strict=True):
            j = int(tells.argmax())
            if tells[j] > TELLS_ALL:
                yield j, float(tells[j]), f"tells class '{classes[k]}' from the rest"


def _blocks_of_columns(X, columns):
    """These columns, dense, a few at a time: ranks of all would take many times X's memory."""
    width = max(MOST_ENTRIES // X.shape[0], 1)
    for start in range(0, len(columns), width):
        block = X[:, columns[start : start + width]]
        yield block.toarray() if sparse.issparse(block) else block


def _standardised(X):
    return (X - X.mean(axis=0)) / X.std(axis=0)


def _standardised_ranks(X):
    return _standardised(rankdata(X, axis=0))
