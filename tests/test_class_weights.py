"""Class weights, worked out a part of the rows at a time, are those of scikit-learn."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_sample_weight

from sknneuron._class_weights import class_weighted

from .many_rows import CODES, LABELS, N


@pytest.mark.parametrize("class_weight", ["balanced", "by name"])
@pytest.mark.parametrize("kind", ["words", "objects", "whole numbers", "floats", "column"])
def test_class_weights_are_those_of_scikit_learn(kind, class_weight):
    y = LABELS[kind]
    if class_weight == "by name":
        class_weight = dict(zip(np.unique(y).tolist(), (0.5, 1.0, 3.0), strict=True))
    expected = compute_sample_weight(class_weight, y)
    np.testing.assert_allclose(class_weighted(y, class_weight, None), expected, rtol=1e-14)
    twice = class_weighted(y, class_weight, np.full(N, 2.0))
    np.testing.assert_allclose(twice, 2 * expected, rtol=1e-14)


def test_weights_that_were_given_are_left_as_they_are():
    weight = np.random.default_rng(0).random(N)
    before = weight.copy()
    class_weighted(CODES, "balanced", weight)
    np.testing.assert_array_equal(weight, before)
