"""
Ten neurons look at a digit
===========================

A softmax layer is ten neurons that look at the same 64 pixels, each for its own digit, and the one
that finds most of its pattern wins. The weights of a neuron are a picture of what it looks for.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sknneuron import NeuronClassifier
from sknneuron.inspection import (
    ActivationDisplay,
    ContributionDisplay,
    WeightPathDisplay,
    contributions,
    diagnose,
)

X, y = load_digits(return_X_y=True, as_frame=True)
X = X / 16
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
layer = NeuronClassifier(alpha=1e-3).fit(X_train, y_train)
print(f"accuracy on unseen digits: {layer.score(X_test, y_test):.3f}")
print(diagnose(layer, X_train, y_train))

# %%
# Blue pixels speak for the digit, red ones against it.
figure, axes = plt.subplots(2, 5, figsize=(10, 4.4), layout="constrained")
most = np.abs(layer.coef_).max()
for digit, ax in enumerate(axes.flat):
    weights = layer.coef_[digit].reshape(8, 8)
    picture = ax.imshow(weights, cmap="RdBu", vmin=-most, vmax=most)
    ax.set_title(f"neuron {digit}")
    ax.axis("off")
figure.colorbar(picture, ax=axes, label="weight")
plt.show()

# %%
# One digit, and what each neuron makes of it: pixel times weight, summed to z. The layer's levels
# are the softmax of the ten z.
row = 3
seen = X_test.iloc[[row]]
terms = contributions(layer, seen)
figure, axes = plt.subplots(2, 6, figsize=(12, 4.4), layout="constrained")
axes[0, 0].imshow(seen.to_numpy().reshape(8, 8), cmap="gray_r")
axes[0, 0].set_title(f"a {y_test.iloc[row]}")
parts = np.array([terms[str(digit)].iloc[0, :64] for digit in range(10)])
most = np.abs(parts).max()
for digit, ax in enumerate(np.delete(axes.ravel(), [0, 6])):
    ax.imshow(parts[digit].reshape(8, 8), cmap="RdBu", vmin=-most, vmax=most)
    level = terms[str(digit), "activation"].iloc[0]
    ax.set_title(f"{digit}: {level:.3f}")
for ax in axes.flat:
    ax.axis("off")
plt.show()

# %%
# The winner in detail. A contribution is what this neuron does with a pixel; its neighbours say
# nearly the same, so that single pixels are not to be called important.
winner = str(layer.predict(seen)[0])
ContributionDisplay.from_estimator(layer, seen, output=winner)
plt.show()

# %%
# How the weights of that neuron came about, and how sure it is of all the digits: its lead over the
# other nine decides.
figure, (left, right) = plt.subplots(1, 2, figsize=(13, 4.5), layout="constrained")
WeightPathDisplay.from_estimator(layer, X_train, output=winner, ax=left)
ActivationDisplay.from_estimator(layer, X_test, y_test, output=winner, ax=right)
plt.show()
# sphinx_gallery_thumbnail_number = 1
