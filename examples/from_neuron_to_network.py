"""
From a neuron to a network
==========================

One neuron draws one line, and tells apart what lies on either side of it. Some patterns have no
such line. Several neurons that look at the same input through weights of their own each find a part
of the pattern, and pass on how strongly it is there: a layer. A neuron that reads their levels puts
the parts together. That is a network.
"""

# %%
# Three patterns that no line can tell apart: opposite corners, two moons, a ring around a disc. One
# neuron fails at them; eight neurons and one that reads them do not.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_circles, make_moons
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknneuron import NeuronClassifier, NeuronLayer

corners = np.random.default_rng(0).uniform(-1, 1, (400, 2))
patterns = {
    "corners": (corners, ((corners[:, 0] > 0) != (corners[:, 1] > 0)).astype(int)),
    "moons": make_moons(400, noise=0.1, random_state=0),
    "circles": make_circles(400, noise=0.05, factor=0.5, random_state=0),
}
networks = {}
for name, (X, y) in patterns.items():
    one = make_pipeline(StandardScaler(), NeuronClassifier(alpha=1e-6)).fit(X, y)
    network = make_pipeline(
        StandardScaler(), NeuronLayer(8, alpha=1e-3, random_state=0), NeuronClassifier()
    )
    networks[name] = network.fit(X, y)
    print(f"{name:8} one neuron {one.score(X, y):.2f}, network {network.score(X, y):.2f}")

# %%
# Each relu neuron is silent on one side of its line (where z = 0) and answers on the other, the
# more the further away. Here are the lines, each with a short bar into the side that it answers to,
# and the boundary that the last neuron makes of their levels.
figure, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
for axis, (name, network) in zip(axes, networks.items(), strict=True):
    X, y = patterns[name]
    low, high = X.min(axis=0) - 0.3, X.max(axis=0) + 0.3
    x1, x2 = np.meshgrid(np.linspace(low[0], high[0], 200), np.linspace(low[1], high[1], 200))
    grid = np.column_stack([x1.ravel(), x2.ravel()])
    chance = network.predict_proba(grid)[:, 1].reshape(x1.shape)
    axis.contourf(x1, x2, chance, levels=20, cmap="RdBu_r", alpha=0.5, vmin=0, vmax=1)
    axis.contour(x1, x2, chance, levels=[0.5], colors="black", linewidths=2)
    z = network[1].pre_activation(network[0].transform(grid))
    for k in range(z.shape[1]):
        if z[:, k].min() < 0 < z[:, k].max():
            line = axis.contour(x1, x2, z[:, k].reshape(x1.shape), levels=[0], colors="0.3")
            line.set_linewidth(0.8)
            ends = line.get_paths()[0].vertices
            middle, uphill = ends[len(ends) // 2], network[1].coef_[k] / network[0].scale_
            tip = middle + 0.15 * uphill / np.linalg.norm(uphill)
            axis.plot(*np.transpose([middle, tip]), color="0.3", linewidth=2)
    for kind, marker in ((0, "o"), (1, "^")):
        axis.scatter(*X[y == kind].T, s=9, c="k", marker=marker, linewidths=0)
    axis.set(title=name, xlim=(low[0], high[0]), ylim=(low[1], high[1]))
plt.show()

# %%
# Who answers to what
# -------------------
# Levels are what the next step gets, so they say what a neuron has specialised in. Of a layer that
# has learnt to read digits: the mean level for each digit, and how alike the neurons' answers are.
from sklearn.datasets import load_digits

from sknneuron.inspection import SpecialisationDisplay, diagnose, specialisation

X, y = load_digits(return_X_y=True)
reader = make_pipeline(NeuronLayer(16, random_state=0), NeuronClassifier(alpha=1e-3)).fit(X / 16, y)
SpecialisationDisplay.from_estimator(reader, X / 16, y)
plt.show()

# %%
# The same as a table, and what a check-up says of neurons that are dead or that do another's work.
columns = ["active", "answers_to", "selectivity", "most_like", "likeness", "state"]
print(specialisation(reader, X / 16, y)[columns].round(2).to_string())
print(diagnose(reader[:1], X / 16))

# %%
# The weights of each neuron, as pictures of what it looks for: blue where ink calls it, red where
# ink keeps it silent.
figure, axes = plt.subplots(2, 8, figsize=(10, 2.9), layout="constrained")
for k, axis in enumerate(axes.flat):
    picture = reader[0].coef_[k].reshape(8, 8)
    bound = np.abs(picture).max()
    axis.imshow(picture, cmap="RdBu", vmin=-bound, vmax=bound)
    axis.set(xticks=[], yticks=[], title=f"neuron {k}")
plt.show()

# %%
# What an answer is made of
# -------------------------
# The last neuron's z is its bias plus weight times level of each hidden neuron, exactly. And each
# hidden neuron's z is the sum of what its own inputs add.
from sknneuron.inspection import contributions

row = X[:1] / 16
print(contributions(reader, row, output=0).round(2).T.to_string(header=False))
strongest = contributions(reader, row, output=0).iloc[0, :16].abs().argmax()
own = contributions(reader[:1], row)[f"neuron{strongest}"].iloc[0]
print(f"\nneuron {strongest}, what its pixels add:")
print(own.iloc[:64].sort_values(key=np.abs, ascending=False).head(5).round(2).to_string())
# sphinx_gallery_thumbnail_number = 1
