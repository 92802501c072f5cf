"""The reason that a warning gives is the reason."""

import numpy as np
import pytest

from sknneuron import NeuronClassifier, NeuronWarning

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])


def test_columns_that_say_nothing_are_not_blamed_on_an_l2_penalty():
    with pytest.warns(NeuronWarning, match="no column tells the targets apart"):
        NeuronClassifier(alpha=1e-3).fit(X, [0, 1, 1, 0])


def test_an_l1_penalty_that_holds_every_weight_is_named():
    with pytest.warns(NeuronWarning, match=r"alpha=0\.3 holds every weight at zero"):
        NeuronClassifier(alpha=0.3, l1_ratio=1).fit(X, [0, 1, 1, 1])
