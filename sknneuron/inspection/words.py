"""Words beside weights: what a unit does to the prediction, and when a weight means little."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from .evidence import Evidence, pair_of
from .functions import Function
from .units import Unfolded

# Variance inflation past which columns are called collinear.
INFLATED = 10.0
# Partners of a collinear column are named down to this share of the strongest.
PARTNER_SHARE = 0.3
N_PARTNERS = 2
# A column that all but this share of the rows have in common is called rare.
RARE = 0.01
MOST_COLUMNS = 2000


def collinear_notes(functions: list[Function], evidence: Evidence) -> list[str]:
    """Return for each function which of its inputs other columns can stand in for, or are rare."""
    own = [f for f in functions if f.feature != "bias" and f.baseline is None]
    alone = {int(f.where[0]): f.feature for f in own if len(f.where) == 1}
    names = [alone.get(j, name) for j, name in enumerate(evidence.inside.input_names)]
    words = [""] * len(names)
    for j, (inflation, partners) in collinear_inputs(evidence).items():
        named = " and ".join(names[k] for k in partners)
        times = "as good as equal to" if inflation > 1e8 else "collinear with"
        words[j] = f"{times} {named} (variance x {min(inflation, 1e8):.3g})"
    for j, n_rows in rare_inputs(evidence).items():
        few = "1 row differs" if n_rows == 1 else f"{n_rows} rows differ"
        words[j] = words[j] or f"only {few} from the rest"
    by_name = {feature: words[j] for j, feature in alone.items()}
    return ["" if f.feature == "bias" else by_name.get(f.feature, "") for f in functions]


def collinear_inputs(evidence: Evidence) -> dict[int, tuple[float, list[int]]]:
    """Return variance inflation and partners of the inputs that others can stand in for."""
    varies = evidence.deviation > 1e-12 * np.maximum(np.abs(evidence.mean), 1e-300)
    kept = np.flatnonzero(varies)
    if not 2 <= len(kept) <= MOST_COLUMNS:
        return {}
    R = evidence.correlation(kept)
    # A ridge of rounding's size lets columns that sum to one come out as huge, not as an error.
    inverse = np.linalg.inv(R + 1e-10 * np.eye(len(R)))
    found = {}
    for i in np.flatnonzero(np.diag(inverse) > INFLATED):
        share = np.abs(inverse[i] / inverse[i, i])
        share[i] = 0
        strongest = np.argsort(-share, kind="stable")[:N_PARTNERS]
        partners = [k for k in strongest if share[k] >= PARTNER_SHARE * share.max()]
        found[int(kept[i])] = float(inverse[i, i]), [int(kept[k]) for k in partners]
    return found


def rare_inputs(evidence: Evidence) -> dict[int, int]:
    """Return, for inputs that are all but constant, in how many rows they differ from that."""
    X, n_rows = evidence.X, evidence.n_rows
    if sparse.issparse(X):
        X = X.tocsc()
        differing = np.asarray(X.count_nonzero(axis=0))
        # Zero is not what the rows of these have in common: scaled numbers beside dummy columns.
        for j in np.flatnonzero(differing > n_rows / 2):
            column = X[:, [j]].toarray()
            differing[j] = np.sum(column != np.median(column))
    else:
        differing = (np.median(X, axis=0) != X).sum(axis=0)
    rare = np.flatnonzero((differing > 0) & (differing <= max(RARE * n_rows, 2)))
    return {int(j): int(differing[j]) for j in rare if differing[j] < n_rows / 4}


def effect_notes(table, functions, inside: Unfolded) -> list[str]:
    """Return what each function does to the prediction, for those in original units."""
    notes = []
    for f, weight in zip(functions, table["weight"], strict=True):
        start = {"each": "one more: ", "level": ""}.get(f.unit)
        effect = "" if start is None else effect_words(inside, float(weight))
        notes.append(f"{start}{effect}" if effect else "")
    return notes


def effect_words(inside: Unfolded, shift: float) -> str:
    """Say what a shift of z does to the prediction; nothing where z is the prediction."""
    activation, target = pair_of(inside.neuron).activation, inside.target.kind
    if activation.name == "exp" or (activation.name == "identity" and target in ("log", "log1p")):
        what = {"log1p": "y + 1"}.get(target, "y")
        if activation.name == "exp" and target != "none":
            what = "level"
        with np.errstate(over="ignore"):
            return f"{what} {100 * np.expm1(shift):+.3g}%"
    if activation.name == "identity" or activation.coupled or not np.isfinite(activation.steepest):
        return ""
    return f"level {activation.steepest * shift:+.3g} where it is steepest"
