"""What each feature adds to a neuron's z, row by row: exact, since z is a sum."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import sparse

from ..exceptions import warn
from .columns import in_memory
from .evidence import pair_of, refuse_gaps
from .units import Unfolded, unfold

OWN_NAMES = ("bias", "pre_activation", "activation")
# Entries of the result past which it is better to look at fewer rows: 0.8 GB.
MOST_ENTRIES = 100_000_000


def contributions(estimator, X, *, output=None, baseline=None) -> pd.DataFrame:
    r"""Return what each feature adds to the weighted sum z of each row.

    .. math:: z = b + \sum_j w_j x_j

    A term belongs to the feature that its input comes from: the columns of a one-hot encoder, an
    indicator of missing values and a scaled number all count for their raw column. There is nothing
    to sample and nothing to approximate; the terms sum to z to rounding.

    Parameters
    ----------
    estimator : neuron, Pipeline or TransformedTargetRegressor
        Fitted; see :func:`unfold`.
    X : DataFrame or array-like of shape (n_samples, n_features), dense or sparse
        Rows as the estimator takes them.
    output : int or str, default=None
        Which neuron: in a classifier of several by class, else by number. None is all of them. A
        number that is a class, too, is the class.
    baseline : None, "mean", or rows, default=None
        None: the terms are ``w_j x_j`` with the neuron's own inputs. "mean": against the mean of
        X's rows, ``w_j (x_j - mean_j)``, and the bias is the mean z; with independent features
        these are Shapley values. A row (DataFrame of one row, Series, dict or array): against it.
        Several rows (DataFrame or array), those of the training for one: against their mean.

    Returns
    -------
    contributions : DataFrame
        One row per sample, X's index. A column per feature that reaches the neuron, then `bias`,
        `pre_activation` and `activation` (with an underscore where a feature has that name). With
        several neurons and no `output` the columns have two levels, neuron and feature.
        ``attrs["imputed"]`` says where a value was missing, so that the term is that of the value
        put in its place: a dict from feature to positions of rows. ``attrs["not_unfolded"]`` lists
        steps whose outputs are shown in place of raw columns.

    Raises
    ------
    TypeError
        If there is no neuron at the end of `estimator`.
    NotFittedError
        If it is not fitted.
    ValueError
        For an unknown `output`, a baseline of the wrong width, missing or infinite values that no
        step before the neuron replaces, and X with more rows than a dense result can hold.

    Notes
    -----
    A contribution is not importance: it says what this neuron does with a feature, not what would
    happen to the target if the feature changed, and features that move together share their effect
    arbitrarily.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sknneuron import NeuronRegressor
    >>> from sknneuron.inspection import contributions
    >>> X = pd.DataFrame({"sqft": [800.0, 1200.0, 1500.0], "age": [10.0, 40.0, 5.0]})
    >>> model = make_pipeline(StandardScaler(), NeuronRegressor(alpha=0))
    >>> model = model.fit(X, [90_000.0, 100_000.0, 165_000.0])
    >>> contributions(model, X).round(0).astype(int)
        sqft    age    bias  pre_activation  activation
    0 -36667   8333  118333           90000       90000
    1   3333 -21667  118333          100000      100000
    2  33333  13333  118333          165000      165000
    """
    inside = unfold(estimator, X)
    chosen = neuron_numbers(inside, output)
    X, baseline = in_memory(X), in_memory(baseline)
    inputs = inside.inputs(X)
    refuse_gaps(inputs, inside)
    bias, reference = _baseline(inside, X, inputs, baseline)
    used = [column for column in inside.columns if len(column.inputs)]
    if inputs.shape[0] * len(used) * len(chosen) > MOST_ENTRIES:
        raise ValueError(
            f"{inputs.shape[0]} rows with {len(used)} features and {len(chosen)} neurons make a "
            "table too large for memory. Give fewer rows, or choose one neuron with output=."
        )
    names = _unique([column.name for column in used])
    own = [_free(name, names) for name in OWN_NAMES]
    z = inputs @ inside.coef.T + inside.intercept
    levels = pair_of(inside.neuron).level(z)
    index = X.index if isinstance(X, pd.DataFrame) else None
    tables = {}
    for k in chosen:
        terms = _terms(inputs, inside.coef[k], used, reference)
        extra = np.full(len(z), bias[k]), z[:, k], levels[:, k]
        tables[inside.neuron_names[k]] = pd.DataFrame(
            np.column_stack([terms, *extra]), index=index, columns=[*names, *own]
        )
    several = output is None and len(inside.neuron_names) > 1
    table = (
        pd.concat(tables, axis=1, names=["neuron", "feature"])
        if several
        else tables[inside.neuron_names[chosen[0]]]
    )
    table.attrs["imputed"] = _imputed(inside, X, dict(zip(map(id, used), names, strict=True)))
    table.attrs["not_unfolded"] = list(inside.not_unfolded)
    return table


def neuron_numbers(inside: Unfolded, output) -> list[int]:
    """Return the numbers of the neurons that `output` asks for."""
    n_neurons = len(inside.neuron_names)
    if output is None:
        return list(range(n_neurons))
    named = inside.neuron_number(output)
    if named is not None:
        return [named]
    if isinstance(output, (int, np.integer)) and 0 <= output < n_neurons:
        return [int(output)]
    raise ValueError(
        f"output={output!r} is no neuron of this estimator: give one of "
        f"{list(inside.neuron_names[:20])}, or a number from 0 to {n_neurons - 1}."
    )


def _terms(inputs, weights, used, reference):
    """Terms of z summed by column, (n_samples, n_columns)."""
    rows = np.concatenate([column.inputs for column in used]) if used else np.zeros(0, dtype=int)
    owner = np.repeat(np.arange(len(used)), [len(column.inputs) for column in used])
    by_column = sparse.csr_array((weights[rows], (rows, owner)), shape=(len(weights), len(used)))
    terms = inputs @ by_column
    terms = terms.toarray() if sparse.issparse(terms) else np.asarray(terms)
    return terms if reference is None else terms - reference[None] @ by_column


def _baseline(inside: Unfolded, X, inputs, baseline):
    """Return what stands for the bias, and the inputs that the terms are taken against."""
    if baseline is None:
        return inside.intercept, None
    if isinstance(baseline, str):
        if baseline != "mean":
            raise ValueError(f"baseline must be None, 'mean' or rows like X's; got {baseline!r}.")
        if inputs.shape[0] == 1:
            warn(
                "baseline='mean' of a single row is the row itself, so that every term is zero. "
                "Give the rows to hold it against: baseline=X_train."
            )
    else:
        inputs = inside.inputs(_rows(inside, X, baseline))
        refuse_gaps(inputs, inside, "The baseline")
        if inputs.shape[0] == 0:
            raise ValueError("The baseline has no rows.")
    reference = np.asarray(inputs.mean(axis=0)).ravel()
    return inside.intercept + inside.coef @ reference, reference


def _rows(inside: Unfolded, X, rows):
    """Rows to be held against, as the first step takes them, with the types of X's columns."""
    if isinstance(rows, pd.DataFrame) or sparse.issparse(rows) or _is_flat(X):
        return rows
    first = inside.steps[0] if inside.steps else inside.neuron
    names = getattr(first, "feature_names_in_", None)
    if isinstance(rows, (Mapping, pd.Series)):
        row = dict(rows)
        missing = [] if names is None else [name for name in names if name not in row]
        if missing:
            raise ValueError(f"The baseline lacks {missing[:5]}.")
        rows = list(row.values()) if names is None else [row[name] for name in names]
    rows = np.asarray(rows, dtype=object)
    rows = rows if rows.ndim == 2 else rows.reshape(1, -1)
    expected = getattr(first, "n_features_in_", rows.shape[1])
    if rows.shape[1] != expected:
        raise ValueError(f"The baseline has {rows.shape[1]} values, but X has {expected} columns.")
    if names is None:
        return rows if inside.steps else rows.astype(float)
    frame = pd.DataFrame(rows, columns=names).infer_objects()
    # A missing word alone would make a column of numbers.
    is_frame = isinstance(X, pd.DataFrame)
    words = X.select_dtypes(exclude=["number", "bool"]).dtypes if is_frame else {}
    return frame.astype({name: words[name] for name in names if name in words})


def _is_flat(X) -> bool:
    """Whether the rows are no table, but texts or dicts for a vectorizer."""
    return getattr(X, "ndim", None) == 1 or (isinstance(X, list) and np.ndim(X[:1]) == 1)


def _imputed(inside: Unfolded, X, names: dict) -> dict:
    """Positions of the rows where a feature's value was missing, by feature."""
    if inside.is_plain or sparse.issparse(X):
        return {}
    found = {}
    for column in inside.columns:
        if column.imputed is None or column.position is None:
            continue
        rows = np.flatnonzero(column.is_missing(X))
        if len(rows):
            found[names[id(column)]] = rows.tolist()
    return found


def _unique(names: list[str]) -> list[str]:
    taken: list[str] = []
    for name in names:
        taken.append(_free(name, taken))
    return taken


def _free(name: str, taken) -> str:
    """The name, with underscores until no other has it."""
    while name in taken:
        name += "_"
    return name
