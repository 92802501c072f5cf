"""
Why does my relu neuron not learn?
==================================

A neuron can fail without an error: it predicts the same for every row, the loss stands still, and
nothing says why. :func:`~sknneuron.inspection.diagnose` looks for the usual reasons, shows the
number that gives them away, and says what to do. Here are some of them, each cured by its advice.
"""

# %%
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning

from sknneuron import NeuronClassifier, NeuronRegressor, NeuronWarning
from sknneuron.inspection import ActivationDisplay, TrainingCurveDisplay, diagnose

# `fit` itself warns of the worst; here we let the doctor speak.
for category in (ConvergenceWarning, NeuronWarning):
    warnings.simplefilter("ignore", category)
rng = np.random.default_rng(0)
X = pd.DataFrame(rng.normal(size=(400, 3)), columns=["a", "b", "c"])
y = np.maximum(2 * X["a"] - X["b"], 0) + 0.1 * rng.random(400)

# %%
# **Dead.** Someone goes on from weights at which z is below zero on every row. There relu has no
# slope: no row moves the weights, however long the training.
neuron = NeuronRegressor("relu", solver="sgd", random_state=0).fit(X, y)
neuron.coef_, neuron.intercept_ = np.zeros(3), -5.0
neuron.set_params(warm_start=True).fit(X, y)
diagnosis = diagnose(neuron, X, y)
print(diagnosis)

cured = NeuronRegressor("relu", random_state=0).set_params(**diagnosis[0].params).fit(X, y)
print("\nFollowing the advice:", diagnose(cured, X, y))

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
ActivationDisplay.from_estimator(neuron, X, y, ax=left)
ActivationDisplay.from_estimator(cured, X, y, ax=right)
plt.show()

# %%
# **Stuck**, **diverged**: steps too short, or too long.
for rate in (1e-6, 100.0):
    neuron = NeuronRegressor("relu", solver="sgd", learning_rate_init=rate, random_state=0)
    neuron.set_params(max_iter=50).fit(X, y)
    print(f"\nlearning_rate_init={rate:g}\n{diagnose(neuron, X, y)}")
    if rate < 1:
        TrainingCurveDisplay.from_estimator(neuron)
        plt.show()

# %%
# **Targets out of reach.** No level of a relu is negative.
neuron = NeuronRegressor("relu").fit(X, y - 1)
print(diagnose(neuron, X, y - 1))

# %%
# **Over-penalised.** The penalty holds the weights down; the advice names an alpha that does not.
neuron = NeuronRegressor("relu", alpha=3.0).fit(X, y)
diagnosis = diagnose(neuron, X, y)
print(diagnosis)
neuron.set_params(**diagnosis[0].params).fit(X, y)
print("\nFollowing the advice:", diagnose(neuron, X, y))

# %%
# **The wrong question.** No straight line tells an exclusive or; the doctor asks for features that
# combine columns.
xor = X["a"] * X["b"] > 0
print(diagnose(NeuronClassifier().fit(X, xor), X, xor))
# sphinx_gallery_thumbnail_number = 1
