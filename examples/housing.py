"""
Predict house prices with one neuron
====================================

932 houses sold in the Sacramento area over five days. One neuron weighs square feet, beds, baths,
the place and the kind of house, and says a price; another says whether a house sells above the
median. Both sit in pipelines behind scalers, go through cross-validation and a grid, and are held
against scikit-learn's Ridge and LogisticRegression on rows that neither has seen.

Run it with ``python examples/housing.py``; pictures go to ``examples/output``, and so do the page
on which the neuron can be played with and, where MLflow is installed, the runs that it has tracked.
"""

import importlib.util
import sys
import warnings
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron.inspection import to_html

HERE = Path(__file__).parent if "__file__" in globals() else Path.cwd()
OUTPUT = HERE / "output"
NUMBERS = ["sqft", "beds", "baths", "latitude", "longitude"]
CATEGORIES = ["zip", "type"]


def load_sales():
    """Return the features of each sale and its price in dollars."""
    sales = pd.read_csv(HERE / "data" / "sacramento.csv", dtype={"zip": str})
    return sales[NUMBERS + CATEGORIES], sales["price"].astype(float)


def encoder():
    """Scale the numbers, one column per zip code and kind of house."""
    return ColumnTransformer(
        [
            ("scale", StandardScaler(), NUMBERS),
            ("one_hot", OneHotEncoder(handle_unknown="ignore", sparse_output=False), CATEGORIES),
        ],
        verbose_feature_names_out=False,
    )


def on_log_price(regressor):
    """Train on the logarithm of the price, predict dollars."""
    return TransformedTargetRegressor(regressor, func=np.log, inverse_func=np.exp)


def strongest_weights(pipeline, n=5):
    """Names and values of the weights that move the neuron most."""
    names = pipeline[:-1].get_feature_names_out()
    weights = pd.Series(np.ravel(pipeline[-1].coef_), index=names)
    return weights.reindex(weights.abs().sort_values(ascending=False).index)[:n]


def compare_regressors(X_train, X_test, y_train, y_test):
    """Print held-out R2 of neurons and of Ridge; return the neuron on log price."""
    alpha = 1e-3
    n_rows = len(X_train)
    models = {
        "neuron, price": make_pipeline(encoder(), NeuronRegressor(alpha=alpha)),
        "Ridge, price": make_pipeline(encoder(), Ridge(alpha=alpha * n_rows)),
        "neuron, log price": on_log_price(make_pipeline(encoder(), NeuronRegressor(alpha=alpha))),
        "Ridge, log price": on_log_price(make_pipeline(encoder(), Ridge(alpha=alpha * n_rows))),
    }
    print("How well is the price of an unseen house predicted? (R2, held out; 5 folds)")
    folds = KFold(5, shuffle=True, random_state=0)
    for name, model in models.items():
        held_out = model.fit(X_train, y_train).score(X_test, y_test)
        scores = cross_val_score(model, X_train, y_train, cv=folds)
        print(f"  {name:<18} {held_out:.4f}   {scores.mean():.4f} +- {scores.std():.4f}")
    return models["neuron, log price"]


def search_grid(X_train, X_test, y_train, y_test):
    """Choose activation and penalty by cross-validation on log price."""
    # Log prices are around 12: scaled to [0, 1] every activation can reach them.
    low, high = np.log(y_train.min()), np.log(y_train.max())
    model = TransformedTargetRegressor(
        make_pipeline(encoder(), NeuronRegressor(random_state=0)),
        func=lambda price: np.clip((np.log(price) - low) / (high - low), 0, 1),
        inverse_func=lambda level: np.exp(low + level * (high - low)),
        check_inverse=False,
    )
    grid = {
        "regressor__neuronregressor__activation": ["identity", "sigmoid", "relu", "softplus"],
        "regressor__neuronregressor__alpha": [1e-5, 1e-4, 1e-3],
        "regressor__neuronregressor__l1_ratio": [0.0, 0.5],
    }
    search = GridSearchCV(model, grid, cv=KFold(3, shuffle=True, random_state=0))
    search.fit(X_train, y_train)
    best = {name.rpartition("__")[2]: value for name, value in search.best_params_.items()}
    print(f"\nBest on log price of {len(search.cv_results_['params'])} settings: {best}")
    print(
        f"  R2 {search.best_score_:.4f} in its folds, {search.score(X_test, y_test):.4f} held out"
    )


def compare_classifiers(X_train, X_test, y_train, y_test):
    """Does a house sell above the median? Held-out accuracy beside LogisticRegression."""
    median = y_train.median()
    alpha = 1e-3
    neuron = make_pipeline(encoder(), NeuronClassifier(alpha=alpha))
    logistic = make_pipeline(
        encoder(), LogisticRegression(C=1 / (alpha * len(X_train)), max_iter=1000)
    )
    print("\nDoes it sell above the median? (accuracy, held out)")
    for name, model in {"neuron": neuron, "LogisticRegression": logistic}.items():
        model.fit(X_train, y_train > median)
        print(f"  {name:<18} {model.score(X_test, y_test > median):.4f}")
    return neuron


def draw_training(pipeline, title, path):
    """Draw the loss and the weights over the training's iterations."""
    history = pipeline[-1].history_
    names = list(pipeline[:-1].get_feature_names_out())
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    left.plot(history["iteration"], history["loss"], marker="o", markersize=3)
    left.set(xlabel="iteration", ylabel="loss", title="Loss")
    for name in strongest_weights(pipeline, 6).index:
        path_of_weight = history["coef"][:, 0, names.index(name)]
        right.plot(history["iteration"], path_of_weight, label=name.replace("_", " "))
    # A bias near the mean of y would press the weights flat: drawn from where it started.
    bias = history["intercept"][:, 0]
    right.plot(history["iteration"], bias - bias[0], "k--", label=f"bias, from {bias[0]:.3g}")
    right.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    right.set(xlabel="iteration", ylabel="weight", title="Strongest weights, and the bias")
    for ax in (left, right):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(*right.get_legend_handles_labels(), loc="outside right center", frameon=False)
    figure.suptitle(title)
    figure.savefig(path, dpi=120)
    print(f"  drawn: {path.relative_to(HERE.parent)}")


def write_page(model, X, y, path):
    """Write the page of a neuron: move the square feet and see the price follow."""
    to_html(model, X, y, path, title="What is a house in Sacramento worth?")
    print(f"  the neuron to play with, in a browser: {path.relative_to(HERE.parent)}")


def track_in_mlflow(models, X):
    """Train the models once more with MLflow watching; nothing is done for it but to switch it on.

    The store is a file. Print the line that opens the UI on it.
    """
    if importlib.util.find_spec("mlflow") is None:
        print("  MLflow is not installed: pip install '.[mlflow]'")
        return
    import mlflow

    store = f"sqlite:///{OUTPUT / 'mlflow.db'}"
    mlflow.set_tracking_uri(store)
    if mlflow.get_experiment_by_name("housing") is None:
        mlflow.create_experiment("housing", (OUTPUT / "mlartifacts").as_uri())
    mlflow.set_experiment("housing")
    mlflow.sklearn.autolog(silent=True)
    for name, (model, target) in models.items():
        with warnings.catch_warnings():
            # Of scikit-learn, about how MLflow calls it.
            warnings.simplefilter("ignore", FutureWarning)
            with mlflow.start_run(run_name=name) as run:
                model.fit(X, target)
        n_metrics = len(mlflow.get_run(run.info.run_id).data.metrics)
        print(f"  run {name!r}: {n_metrics} metrics, bias and weights step by step among them")
    mlflow.sklearn.autolog(disable=True)
    command = Path(sys.executable).parent / "mlflow"
    print(f"\nLook at the runs:  {command} ui --backend-store-uri {store}")
    print("and open http://127.0.0.1:5000/#/experiments, experiment 'housing': of a run, the tabs")
    print("'Model metrics' (weights step by step) and 'Artifacts' (neuron.html, to play with).")


def main():
    """Run the whole comparison."""
    OUTPUT.mkdir(exist_ok=True)
    X, y = load_sales()
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=0)
    print(f"{len(X)} sales, {len(X_train)} to train on, {len(X_test)} held out\n")

    on_log = compare_regressors(X_train, X_test, y_train, y_test)
    print("\nStrongest weights on log price (0.1 is about +10%):")
    for name, weight in strongest_weights(on_log.regressor_).items():
        print(f"  {name:<18} {weight:+.3f}")

    search_grid(X_train, X_test, y_train, y_test)
    classifier = compare_classifiers(X_train, X_test, y_train, y_test)

    # The optimum is reached in a few steps; epochs of adam show the learning on its way there.
    print("\nLoss and weights over the training:")
    draw_training(
        classifier,
        "Does a house sell above the median? One sigmoid neuron",
        OUTPUT / "classifier.png",
    )
    epochs = NeuronRegressor(alpha=1e-3, solver="adam", random_state=0)
    slow = on_log_price(make_pipeline(encoder(), epochs)).fit(X_train, y_train)
    draw_training(slow.regressor_, "Log price of a house, learnt by adam", OUTPUT / "log_price.png")

    print("\nThe neuron on log price as a page:")
    write_page(on_log, X_test, y_test, OUTPUT / "neuron.html")

    print("\nThe same in MLflow:")
    models = {
        "log price": (on_log, y_train),
        "log price, adam": (slow, y_train),
        "above the median": (classifier, y_train > y_train.median()),
    }
    track_in_mlflow(models, X_train)


if __name__ == "__main__":
    main()
