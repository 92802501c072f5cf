"""Callbacks of scikit-learn 1.9, and what a training prints."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknneuron import NeuronClassifier, NeuronRegressor

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn >= 1.9 has callbacks")


@pytest.fixture(scope="module")
def cancer():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    return (X - X.mean()) / X.std(), y


class Notes:
    """Writes down what it is told."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.events, self.objectives, self.scores, self.given = [], [], [], []

    def setup(self, estimator, context):
        self.events.append("setup")
        self.max_subtasks = context.max_subtasks

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X, y, metadata):
        self.events.append(f"begin {context.task_name}")
        self.given.append((X, y, metadata))

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        self.events.append(f"end {context.task_name}")
        if context.task_name == "iteration":
            self.objectives.append(fitted_estimator.objective_)
            self.scores.append(fitted_estimator.score(X, y))
            self.n_iter = fitted_estimator.n_iter_
            return context.task_id == self.stop_after
        return False


@pytest.mark.parametrize("solver", ["auto", "lbfgs", "adam"])
def test_every_iterate_is_reported_the_start_included(cancer, solver):
    X, y = cancer
    notes = Notes()
    neuron = NeuronClassifier(solver=solver, random_state=0).set_callbacks(notes).fit(X, y)
    n = neuron.n_iter_ + 1
    assert notes.events == [
        "setup",
        "begin fit",
        *["begin iteration", "end iteration"] * n,
        "end fit",
        "teardown",
    ]
    assert notes.max_subtasks == neuron.max_iter + 1
    assert np.array_equal(notes.objectives, neuron.history_["objective"])
    assert notes.scores[-1] == neuron.score(X, y)
    assert notes.n_iter == neuron.n_iter_


def test_callbacks_see_what_the_user_gave(cancer):
    X, y = cancer
    weight = np.linspace(1, 2, len(y))
    notes = Notes()
    NeuronClassifier().set_callbacks(notes).fit(X, y, weight)
    for seen_X, seen_y, metadata in notes.given:
        assert seen_X is X
        assert seen_y is y
        assert np.array_equal(metadata["sample_weight"], weight)


def test_a_request_to_stop_ends_the_training(cancer):
    X, y = cancer
    notes = Notes(stop_after=3)
    neuron = NeuronRegressor(solver="adam", random_state=0).set_callbacks(notes)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        neuron.fit(X, y)
    assert neuron.n_iter_ == 3
    assert len(neuron.history_["loss"]) == 4
    assert not neuron.converged_
    assert notes.events[-2:] == ["end fit", "teardown"]
    assert not [w for w in caught if "max_iter" in str(w.message)]
    assert neuron.predict(X).shape == y.shape


def test_an_error_in_fit_tears_down(cancer):
    X, y = cancer
    notes = Notes()
    neuron = NeuronRegressor("exp", "poisson").set_callbacks(notes)
    with pytest.raises(ValueError, match="poisson"):
        neuron.fit(X, -1.0 - y)
    assert notes.events.count("setup") == notes.events.count("teardown")
    assert not hasattr(neuron, "_callback_fit_ctx")


def test_no_contexts_without_callbacks(cancer, monkeypatch):
    def fail(*args, **kwargs):
        raise AssertionError("a context was made")

    monkeypatch.setattr(NeuronClassifier, "_init_callback_context", fail)
    NeuronClassifier().fit(*cancer)


def test_a_scoring_monitor_follows_the_training(cancer):
    X, y = cancer
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = make_pipeline(StandardScaler(), NeuronClassifier().set_callbacks(monitor)).fit(X, y)
    log = monitor.get_logs(select="most_recent")
    accuracy = [row["accuracy"] for row in log.data if row["task_name"] == "iteration"]
    assert len(accuracy) == model[-1].n_iter_ + 1
    assert accuracy[-1] == model.score(X, y)


@pytest.mark.parametrize("search", [False, True])
def test_a_progress_bar_shows_the_fit(cancer, capsys, search):
    pytest.importorskip("rich")
    X, y = cancer
    bar = callback.ProgressBar(max_propagation_depth=None)
    model = make_pipeline(StandardScaler(), NeuronClassifier())
    if search:
        model = GridSearchCV(model, {"neuronclassifier__alpha": [1e-3, 1e-2]}, cv=2)
    model.set_callbacks(bar).fit(X, y)
    shown = capsys.readouterr().out
    assert "NeuronClassifier" in shown
    assert "100%" in shown


def test_verbose_prints_a_line_an_iterate(cancer, capsys):
    neuron = NeuronClassifier(verbose=1).fit(*cancer)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == neuron.n_iter_ + 1
    assert all(line.startswith("[NeuronClassifier] iteration ") for line in lines)
    assert f"{neuron.history_['objective'][-1]:.8g}" in lines[-1]
    NeuronClassifier().fit(*cancer)
    assert capsys.readouterr().out == ""
