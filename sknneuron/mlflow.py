"""Track a neuron with MLflow: what it learnt, how it got there, and a model that loads.

Nothing here is needed for ``mlflow.sklearn.autolog()``, which tracks neurons like any estimator of
scikit-learn, with the evolution of their weights and bias beside it. Here is what goes further:
`autolog` with more to write, and `log_history` and `log_model` for runs of your own.

Needs the extra ``mlflow``: ``pip install 'sknneuron[mlflow]'``.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from .exceptions import warn

__all__ = ["autolog", "log_history", "log_model"]


def autolog(
    *,
    log_page_rows: int = 0,
    log_plots: bool = False,
    log_diagnosis: bool = False,
    log_coef_table: bool = False,
    max_points: int | None = None,
    **kwargs,
) -> None:
    """Switch on ``mlflow.sklearn.autolog``, and say what it writes of a neuron beside the usual.

    Parameters
    ----------
    log_page_rows : int, default=0
        Training rows to embed in ``neuron.html``, evenly spaced; at least 0. With 0 the page, and
        everything else that is written, holds no row of the data.
    log_plots : bool, default=False
        Write ``weights.svg``: the paths of the weights in one chart. Needs matplotlib.
    log_diagnosis : bool, default=False
        Write ``diagnosis.json``: what `sknneuron.inspection.diagnose` finds.
    log_coef_table : bool, default=False
        Write ``coef_table.csv``: weights with their standard errors.
    max_points : int, default=None
        Points a metric, from 2 to 320, which is what MLflow's charts show. None: as many as go
        into one call to the server, 1,000 points in all. ``history.parquet`` has every step.
    **kwargs
        Parameters of ``mlflow.sklearn.autolog``, `disable`, `log_models` and `silent` for example.

    Raises
    ------
    ImportError
        Without MLflow.
    ValueError
        For `log_page_rows` or `max_points` out of range.

    Notes
    -----
    The settings hold for this process until the next call.

    Examples
    --------
    >>> import sknneuron.mlflow
    >>> sknneuron.mlflow.autolog(log_plots=True, log_models=False)  # doctest: +SKIP
    """
    _import_mlflow()
    from mlflow.sklearn import autolog as mlflow_autolog

    from ._tracking.artifacts import Options
    from ._tracking.record import set_autolog_options

    options = Options(log_page_rows, log_plots, log_diagnosis, log_coef_table, max_points)
    mlflow_autolog(**kwargs)
    set_autolog_options(options)


def log_history(
    estimator,
    *,
    run_id: str | None = None,
    X=None,
    y=None,
    sample_weight=None,
    log_page_rows: int = 0,
    log_plots: bool = False,
    log_diagnosis: bool = False,
    log_coef_table: bool = False,
    max_points: int | None = 320,
) -> None:
    """Write the training of a fitted neuron into a run: step metrics, table, page.

    Steps go on after those that the run has.

    Parameters
    ----------
    estimator : estimator
        A fitted neuron, or a Pipeline, search or TransformedTargetRegressor with one in it. Of a
        layer before the last step of a Pipeline all is written under the name of its step.
    run_id : str, default=None
        The run to write to. None: the active run, or a new one where there is none.
    X, y, sample_weight : array-like, default=None
        The rows it was fitted on, for what needs them.
    log_page_rows : int, default=0
        Rows of X to embed in ``neuron.html``, evenly spaced; needs X.
    log_plots : bool, default=False
        Write ``weights.svg``: the paths of the weights in one chart. Needs matplotlib.
    log_diagnosis : bool, default=False
        Write ``diagnosis.json``: what `sknneuron.inspection.diagnose` finds; needs X.
    log_coef_table : bool, default=False
        Write ``coef_table.csv``: the weights, with standard errors where X and y are given.
    max_points : int or None, default=320
        Points a metric, from 2 to 320. None: 1,000 points in all.

    Raises
    ------
    NotFittedError
        If no fitted neuron is found in `estimator`.
    ValueError
        If something is asked for that needs X, and for `log_page_rows` or `max_points` out of
        range.

    Examples
    --------
    >>> import mlflow, sknneuron.mlflow
    >>> from sknneuron import NeuronClassifier
    >>> with mlflow.start_run():  # doctest: +SKIP
    ...     neuron = NeuronClassifier().fit(X, y)
    ...     sknneuron.mlflow.log_history(neuron)
    """
    mlflow = _import_mlflow()
    from sklearn.exceptions import NotFittedError

    from ._tracking.artifacts import Options
    from ._tracking.record import FitNotes, not_written, record

    options = Options(log_page_rows, log_plots, log_diagnosis, log_coef_table, max_points)
    notes = FitNotes.afterwards(estimator, X, y, sample_weight)
    if not any(notes.learnt()):
        raise NotFittedError(
            f"No fitted neuron was found in this {type(estimator).__name__}. Give a fitted "
            "NeuronRegressor, NeuronClassifier or NeuronLayer, or a fitted Pipeline with one."
        )
    for _, _, found in notes.learnt():
        if not found.neuron.history_:
            warn(
                f"This {type(found.neuron).__name__} kept no history (record=False), so that there "
                "are no steps to write. Fit it with record='auto'."
            )
    if X is None and (log_page_rows or log_diagnosis):
        raise ValueError("log_page_rows and log_diagnosis need the rows: pass X (and y).")
    active = mlflow.active_run()
    is_new = run_id is None and active is None
    with mlflow.start_run() if is_new else nullcontext(active) as run:
        run_id = run_id or run.info.run_id
        failed = record(notes, run_id, options)
    if failed:
        warn(not_written(run_id, failed))


def log_model(estimator, name: str = "model", **kwargs) -> Any:
    """Write a fitted estimator as a model that loads without running code from the file.

    ``mlflow.sklearn.log_model`` in the format "skops", with the types of ours that may be loaded,
    the packages to install, and a signature.

    Parameters
    ----------
    estimator : estimator
        A fitted neuron, or a fitted estimator with one in it.
    name : str, default="model"
        Name of the model.
    **kwargs
        Parameters of ``mlflow.sklearn.log_model``. Of an estimator that is not a neuron itself the
        input cannot be known: pass `input_example`, some rows of X, and the signature follows from
        it. For a neuron the example is a row of zeros, so that no row of the data is written.

    Returns
    -------
    info : mlflow.models.model.ModelInfo

    Raises
    ------
    NotFittedError
        If `estimator` is not fitted.
    TypeError
        If it is no estimator.

    Examples
    --------
    >>> import mlflow, sknneuron.mlflow
    >>> info = sknneuron.mlflow.log_model(neuron)  # doctest: +SKIP
    >>> mlflow.pyfunc.load_model(info.model_uri).predict(X)  # doctest: +SKIP
    """
    mlflow = _import_mlflow()
    from sklearn.utils.validation import check_is_fitted

    from ._tracking.find import is_neuron
    from ._tracking.models import example_and_signature

    kwargs.setdefault("serialization_format", "skops")
    check_is_fitted(estimator)
    if is_neuron(estimator) and not {"input_example", "signature"} & set(kwargs):
        kwargs["input_example"], kwargs["signature"] = example_and_signature(estimator)
    return mlflow.sklearn.log_model(estimator, name=name, **kwargs)


def _import_mlflow():
    try:
        import mlflow
        import mlflow.sklearn
    except ImportError as error:
        raise ImportError(
            "sknneuron.mlflow needs mlflow, which is not installed: "
            "pip install 'sknneuron[mlflow]'."
        ) from error
    return mlflow
