"""
Neurons that feed neurons
=========================

Each of ten neurons sees the same 64 pixels through weights of its own and learns to answer to one
digit. Drawn as a picture, a neuron's weights show what it looks for. Their activation levels are
features as well: a next neuron can take them in, as the next layer of a network does.

Run it with ``python examples/digits.py``; the picture goes to ``examples/output``.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron.inspection import to_html

HERE = Path(__file__).parent if "__file__" in globals() else Path.cwd()
OUTPUT = HERE / "output"


def draw_weights(neurons, path):
    """Draw the weights of each neuron as the picture that it looks for."""
    largest = np.abs(neurons.coef_).max()
    figure, axes = plt.subplots(2, 5, figsize=(9, 4.4), layout="constrained")
    for axis, weights, label in zip(axes.flat, neurons.coef_, neurons.classes_, strict=True):
        image = axis.imshow(weights.reshape(8, 8), cmap="RdBu", vmin=-largest, vmax=largest)
        axis.set(title=f"neuron for {label}", xticks=[], yticks=[])
    figure.colorbar(image, ax=axes, label="weight: blue speaks for the digit, red against it")
    figure.suptitle("What each neuron looks for")
    figure.savefig(path, dpi=120)
    print(f"  drawn: {path}")


def main():
    """Train the ten neurons, look at them, and pass their levels on."""
    OUTPUT.mkdir(exist_ok=True)
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0, stratify=y)

    neurons = NeuronClassifier(alpha=1e-2).fit(X_train, y_train)
    print(f"Ten neurons, held-out accuracy {neurons.score(X_test, y_test):.3f}")
    levels = neurons.transform(X_test[:1])[0]
    names = neurons.get_feature_names_out()
    print(f"  levels for a picture of a {y_test[0]}:")
    for name, level in zip(names, levels, strict=True):
        print(f"    {name:<20} {level:.3f}  {'#' * round(40 * level)}")
    draw_weights(neurons, OUTPUT / "digits.png")
    to_html(neurons, X_test, y_test, OUTPUT / "digits.html", title="Ten neurons look at a digit")
    print(f"  draw a digit and see what they say: {OUTPUT / 'digits.html'}")

    # Levels of ten neurons as the input of the next: is the digit odd?
    stacked = make_pipeline(NeuronClassifier(alpha=1e-2), NeuronClassifier())
    one = NeuronClassifier(alpha=1e-4)
    odd_train, odd_test = y_train % 2, y_test % 2
    # The first step is trained on the digits, the second on odd or even.
    hidden = stacked[0].fit(X_train, y_train).transform(X_train)
    stacked[1].fit(hidden, odd_train)
    print("Is the digit odd? Held-out accuracy")
    one.fit(X_train, odd_train)
    print(f"  one neuron on the pixels       {one.score(X_test, odd_test):.3f}")
    print(f"  one neuron on ten neurons      {stacked.score(X_test, odd_test):.3f}")

    # Different neurons side by side: what the digit is, and how much ink it takes.
    union = make_union(
        make_pipeline(StandardScaler(), NeuronRegressor("relu", random_state=0)),
        NeuronClassifier(alpha=1e-2),
    ).fit(X_train, y_train)
    print(f"A union of neurons gives {union.transform(X_test).shape[1]} levels for each picture")


if __name__ == "__main__":
    main()
