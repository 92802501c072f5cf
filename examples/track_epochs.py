"""
Watch a neuron learn, epoch by epoch
====================================

The solver that ``solver="auto"`` chooses reaches the optimum in a handful of steps, and a chart of
a handful of steps says little about learning. ``"adam"`` and ``"sgd"`` go there in small steps, one
point an epoch. It is the same optimum: the objective is convex, so there is only one, and the
solver decides how it is found, not what is found.

Run it with ``python examples/track_epochs.py``. It needs ``pip install '.[mlflow,plot]'``, and
prints the line that opens the UI.
"""

import sys
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import mlflow
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import sknneuron.mlflow
from sknneuron import NeuronClassifier

HERE = Path(__file__).parent if "__file__" in globals() else Path.cwd()
OUTPUT = HERE / "output"
EXPERIMENT = "epochs"

OUTPUT.mkdir(exist_ok=True)
mlflow.set_tracking_uri(f"sqlite:///{OUTPUT / 'mlflow.db'}")
if mlflow.get_experiment_by_name(EXPERIMENT) is None:
    mlflow.create_experiment(EXPERIMENT, (OUTPUT / "mlartifacts").as_uri())
mlflow.set_experiment(EXPERIMENT)

# %%
# Three solvers, three runs. The validation rows are recorded at each epoch as well; they go through
# the same scaler as the training rows. ``max_points`` asks for every epoch that a chart can show.

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
X, X_val, y, y_val = train_test_split(X, y, random_state=0, stratify=y)
scaler = StandardScaler().set_output(transform="pandas").fit(X)
X, X_val = scaler.transform(X), scaler.transform(X_val)

sknneuron.mlflow.autolog(max_points=320, log_models=False, silent=True)
runs, neurons = {}, {}
for solver in ("auto", "adam", "sgd"):
    neuron = NeuronClassifier(alpha=1e-2, solver=solver, tol=1e-6, max_iter=300, random_state=0)
    with warnings.catch_warnings():
        # Of scikit-learn, about how MLflow calls it.
        warnings.simplefilter("ignore", FutureWarning)
        with mlflow.start_run(run_name=solver) as run:
            neurons[solver] = neuron.fit(X, y, X_val=X_val, y_val=y_val)
    runs[solver] = run.info.run_id
sknneuron.mlflow.autolog(disable=True)

# %%
# The same optimum, by different ways.

best = neurons["auto"]
print("solver  steps  objective   furthest weight from the optimum")
for solver, neuron in neurons.items():
    distance = np.abs(neuron.coef_ - best.coef_).max()
    print(f"{solver:<6} {neuron.n_iter_:6d}   {neuron.objective_:.6f}   {distance:.4f}")

# %%
# The curves come out of MLflow as they went in.


def curve(run_id, key):
    """Steps and values of a metric."""
    points = mlflow.MlflowClient().get_metric_history(run_id, key)
    points.sort(key=lambda point: point.step)
    return [point.step for point in points], [point.value for point in points]


figure, axes = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
for axis, key in zip(axes, ("train/loss", "validation/loss", "weights/worst radius"), strict=True):
    for solver, run_id in runs.items():
        axis.plot(*curve(run_id, key), label=solver, marker="." if solver == "auto" else None)
    axis.set(title=key, xlabel="step", xscale="symlog")
    axis.legend()
figure.savefig(OUTPUT / "epochs.png", dpi=120)

mlflow_command = Path(sys.executable).parent / "mlflow"
print(f"\nLook at it:  {mlflow_command} ui --backend-store-uri sqlite:///{OUTPUT / 'mlflow.db'}")
