"""How many digits of the worst coefficient are right."""

from __future__ import annotations

from ..references import digits


def digits_of_accuracy():
    """One row per problem."""
    for hard in digits.linear():
        yield _row(hard, digits.ours_linear, digits.qr_linear, "statsmodels OLS, QR")
    for kind in ("logistic", "poisson"):
        for hard in digits.generalized(kind):
            yield _row(hard, digits.ours_generalized, digits.glm_generalized, "statsmodels GLM")


def _row(hard, ours, peer, name):
    return {
        "work": f"{hard.name} ({hard.X.shape[0]} x {hard.X.shape[1]})",
        "sknneuron": round(digits.typical_digits(ours, hard), 1),
        "peer": name,
        "of the peer": round(digits.typical_digits(peer, hard), 1),
    }
