"""The public names: they change on purpose only, and each of them is described."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
NAMES = {
    "sknneuron": {
        "TRUSTED_TYPES",
        "NeuronClassifier",
        "NeuronLayer",
        "NeuronRegressor",
        "NeuronWarning",
        "__version__",
    },
    "sknneuron.inspection": {
        "ActivationDisplay",
        "CoefDisplay",
        "Column",
        "ContributionDisplay",
        "Diagnosis",
        "Finding",
        "NeuronDisplay",
        "SpecialisationDisplay",
        "Target",
        "TrainingCurveDisplay",
        "Unfolded",
        "WeightPathDisplay",
        "coef_table",
        "contributions",
        "diagnose",
        "specialisation",
        "to_html",
        "training_history",
        "unfold",
    },
    "sknneuron.mlflow": {"autolog", "log_history", "log_model"},
    "sknneuron.sources": {"ArraySource", "ParquetSource", "Source"},
}
PARAMETERS = {
    "NeuronRegressor": (
        "activation loss alpha l1_ratio fit_intercept solver max_iter tol batch_size "
        "learning_rate_init momentum early_stopping validation_fraction n_iter_no_change record "
        "warm_start random_state n_jobs verbose"
    ),
    "NeuronClassifier": (
        "activation loss alpha l1_ratio fit_intercept solver max_iter tol batch_size "
        "learning_rate_init momentum early_stopping validation_fraction n_iter_no_change record "
        "warm_start random_state n_jobs verbose class_weight"
    ),
}
ALL_ACTIVATIONS = (
    "identity sigmoid tanh relu leaky_relu elu softplus gelu silu softsign exp probit cloglog "
    "softmax"
)
ALL_LOSSES = (
    "absolute_error gamma hinge huber log_loss poisson quantile squared_error squared_hinge tweedie"
)
FOR_DEVELOPERS = {"ArraySource", "Source"}
# By the functions that return them.
SHOWN_ELSEWHERE = FOR_DEVELOPERS | {"Column", "Finding", "NeuronWarning", "Target", "Unfolded"}
EVERY = [
    (module, name) for module, names in NAMES.items() for name in sorted(names) if name[0] != "_"
]


@pytest.mark.parametrize("module", NAMES)
def test_names_are_these(module):
    found = importlib.import_module(module)
    assert set(found.__all__) == NAMES[module]
    assert all(hasattr(found, name) for name in NAMES[module])


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_these_in_this_order(name):
    import sknneuron

    parameters = inspect.signature(getattr(sknneuron, name)).parameters
    assert list(parameters) == PARAMETERS[name].split()


def test_activations_and_losses_are_these():
    from sknneuron.activations import ACTIVATIONS
    from sknneuron.losses import LOSSES

    assert " ".join(ACTIVATIONS) == ALL_ACTIVATIONS
    assert " ".join(sorted(LOSSES)) == ALL_LOSSES


@pytest.mark.parametrize(("module", "name"), EVERY)
def test_each_has_a_place_in_the_documentation(module, name):
    if name not in FOR_DEVELOPERS:
        assert re.search(rf"^   {name}$|:: {name}$", (DOCS / "api.rst").read_text(), re.MULTILINE)


@pytest.mark.parametrize(("module", "name"), EVERY)
def test_each_says_what_it_is_with_an_example_that_runs(module, name):
    found = getattr(importlib.import_module(module), name)
    if callable(found):
        text = inspect.getdoc(found)
        assert text
        assert ">>> " in text or name in SHOWN_ELSEWHERE
