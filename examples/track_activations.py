"""
Compare activations in MLflow
=============================

Which activation suits a task is a question for a grid search, and ``mlflow.sklearn.autolog()``
keeps what it found: a run for the search, and below it one for each setting, to sort, filter and
draw. The run of the search has the best neuron as well, step by step.

Run it with ``python examples/track_activations.py``. It needs ``pip install '.[mlflow,plot]'``, and
prints the line that opens the UI.
"""

import sys
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import mlflow
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknneuron import NeuronClassifier

HERE = Path(__file__).parent if "__file__" in globals() else Path.cwd()
OUTPUT = HERE / "output"
EXPERIMENT = "activations"

# %%
# A store of one's own: a file for the numbers, a folder for the rest. With a server it would be
# ``mlflow.set_tracking_uri("http://...")`` and no more.


def use_local_store():
    """Keep runs in ``examples/output``."""
    OUTPUT.mkdir(exist_ok=True)
    mlflow.set_tracking_uri(f"sqlite:///{OUTPUT / 'mlflow.db'}")
    if mlflow.get_experiment_by_name(EXPERIMENT) is None:
        mlflow.create_experiment(EXPERIMENT, (OUTPUT / "mlartifacts").as_uri())
    mlflow.set_experiment(EXPERIMENT)


use_local_store()

# %%
# The grid. ``max_tuning_runs=None`` gives a run to each setting; by default the best five have one.

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
grid = {
    "neuronclassifier__activation": ["sigmoid", "tanh", "probit", "cloglog", "softsign"],
    "neuronclassifier__alpha": [1e-3, 1e-2, 1e-1],
}
model = make_pipeline(StandardScaler(), NeuronClassifier(random_state=0))
search = GridSearchCV(model, grid, scoring="neg_log_loss", cv=5)

mlflow.sklearn.autolog(max_tuning_runs=None, silent=True)
with warnings.catch_warnings():
    # Of scikit-learn, about how MLflow calls it.
    warnings.simplefilter("ignore", FutureWarning)
    with mlflow.start_run(run_name="grid over activations") as run:
        search.fit(X, y)
mlflow.sklearn.autolog(disable=True)

# %%
# What MLflow has of it. The settings are its child runs.

children = mlflow.search_runs(filter_string=f"tags.mlflow.parentRunId = '{run.info.run_id}'")
table = children.rename(columns=lambda name: name.rpartition("__")[2].rpartition(".")[2])
table["mean_test_score"] = table["mean_test_score"].astype(float)
table = table.pivot_table(index="activation", columns="alpha", values="mean_test_score")
print("Mean log-likelihood of a held-out row:")
print(table.sort_values("0.01", ascending=False).round(4).to_string())
print(f"\nBest: {search.best_params_}")

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
(-table).plot.barh(ax=axes)
axes.set(xlabel="log loss, held out (less is better)", title="Activations in a grid")
figure.savefig(OUTPUT / "activations.png", dpi=120)

# %%
# The run of the search holds the evolution of the best neuron.

metrics = mlflow.get_run(run.info.run_id).data.metrics
weights = {name: value for name, value in metrics.items() if name.startswith("weights/")}
print("\nWeights in the run of the search, the strongest:")
for name, value in sorted(weights.items(), key=lambda item: -abs(item[1]))[:5]:
    print(f"  {name:<28} {value:+.3f}")

mlflow_command = Path(sys.executable).parent / "mlflow"
print(f"\nLook at it:  {mlflow_command} ui --backend-store-uri sqlite:///{OUTPUT / 'mlflow.db'}")
