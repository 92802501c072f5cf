"""As many right digits as an orthogonal factor gives, on problems made to lose them."""

import warnings

import pytest

pytest.importorskip("statsmodels", reason="the yardstick")
from .references import digits


def fitted(fit, hard):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return digits.typical_digits(fit, hard)


@pytest.mark.parametrize("hard", list(digits.linear()), ids=lambda hard: hard.name)
def test_least_squares_has_the_digits_of_qr(hard):
    assert fitted(digits.ours_linear, hard) >= fitted(digits.qr_linear, hard) - 0.5


@pytest.mark.parametrize("kind", ["logistic", "poisson"])
def test_others_have_the_digits_of_iterated_qr(kind):
    for hard in digits.generalized(kind):
        ours, peer = fitted(digits.ours_generalized, hard), fitted(digits.glm_generalized, hard)
        assert ours >= peer - 0.5, hard.name
