"""Learning from rows that come in parts."""

import numpy as np

from sknneuron import NeuronClassifier


def test_a_class_that_the_first_rows_lack_is_learnt_later():
    rng = np.random.default_rng(0)
    y = np.arange(300) % 3
    X = rng.standard_normal((300, 3)) + 2 * np.eye(3)[y]
    neurons = NeuronClassifier().partial_fit(X[y < 2], y[y < 2], classes=[0, 1, 2])
    assert neurons.coef_.shape == (3, 3)
    assert np.all(np.abs(neurons.intercept_) < 10)
    for _ in range(100):
        neurons.partial_fit(X, y)
    assert neurons.score(X, y) > 0.85
