"""
Watch one neuron learn
======================

Two kinds of iris, told apart by one neuron from the length and width of a petal. It begins with no
weights at all. After each look at the flowers it has moved a little; the history of the fit keeps
every step, so that we can go back and draw them.
"""

# %%
# The rows: 50 flowers of each kind.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_iris

from sknneuron import NeuronClassifier
from sknneuron.inspection import training_history

X, y = load_iris(return_X_y=True, as_frame=True)
petals = ["petal length (cm)", "petal width (cm)"]
X, virginica = X.loc[y > 0, petals], (y[y > 0] == 2).rename("virginica")
print(X.groupby(virginica).mean().round(2))

# %%
# ``solver="adam"`` looks at a few flowers at a time, as the training of large networks does; the
# default would be at the optimum before there is anything to see.
neuron = NeuronClassifier(solver="adam", alpha=1e-3, batch_size=10, random_state=0)
neuron.fit(X, virginica)
history = training_history(neuron)
print(history[["iteration", "loss", *history.columns[-3:]]].head(6).round(2).to_string(index=False))

# %%
# The loss falls, the weights grow, and the bias sinks with them: the longer and wider a petal has
# to be before the neuron speaks up, the lower it has to be.
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
left.plot(history["iteration"], history["loss"], marker=".")
left.set(xlabel="epoch", ylabel="loss", title="The loss")
for name in petals:
    right.plot(history["iteration"], history[f"weights/{name}"], label=f"weight: {name}")
right.plot(history["iteration"], history["bias"] / 10, "k--", label="bias / 10")
right.set(xlabel="epoch", title="Weights and bias")
right.legend(frameon=False)
plt.show()

# %%
# Where the neuron is undecided (z = 0, level 0.5) is a straight line through the flowers. Here it
# is after some of the epochs: it turns and moves until it lies between the two kinds.
figure, axes = plt.subplots(1, 4, figsize=(12, 3.4), layout="constrained", sharey=True)
x1, x2 = np.meshgrid(np.linspace(2.8, 7.1, 80), np.linspace(0.9, 2.6, 80))
last = len(history) - 1
for axis, k in zip(axes, [0, 1, 3, last], strict=True):
    weights, bias = neuron.history_["coef"][k, 0], neuron.history_["intercept"][k, 0]
    level = 1 / (1 + np.exp(-(weights[0] * x1 + weights[1] * x2 + bias)))
    picture = axis.pcolormesh(x1, x2, level, cmap="RdBu_r", vmin=0, vmax=1, alpha=0.7)
    for kind, marker in ((False, "o"), (True, "^")):
        flowers = X[virginica == kind]
        axis.scatter(*flowers.T.to_numpy(), s=14, c="k", marker=marker, linewidths=0)
    axis.set(title=f"after {k} epochs", xlabel=petals[0])
axes[0].set_ylabel(petals[1])
figure.colorbar(picture, ax=axes, label="level: how sure of virginica (triangles)")
plt.show()

# %%
# The default solver goes to the optimum itself, in a few steps.
exact = NeuronClassifier(alpha=1e-3).fit(X, virginica)
for name, fitted in {"adam": neuron, exact.solver_: exact}.items():
    weights = ", ".join(f"{w:.2f}" for w in fitted.coef_[0])
    print(
        f"{name:<8} {fitted.n_iter_:>3} iterations, weights {weights}, "
        f"bias {fitted.intercept_[0]:.1f}, accuracy {fitted.score(X, virginica):.2f}"
    )
# sphinx_gallery_thumbnail_number = 2
