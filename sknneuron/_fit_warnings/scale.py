"""Validation rows in other units than the training rows."""

from __future__ import annotations

import numpy as np

from ..exceptions import warn
from ..objective import Objective
from .names import column_names

# Validation rows whose scale is compared.
N_SCALE_ROWS = 8192


def warn_of_other_scale(estimator, objective: Objective, validation) -> None:
    """Warn if validation rows are in other units than the training rows."""
    X = validation.spread(N_SCALE_ROWS).X
    mean = np.asarray(X.mean(axis=0)).ravel()
    distance = np.abs(mean - objective.coordinates.center) / objective.coordinates.scale
    far = np.flatnonzero(distance > 20)
    if len(far):
        warn(
            f"X_val is on another scale than X: the mean of {column_names(estimator, far)} is "
            f"{distance[far].max():.0f} standard deviations from that of X. Fit the steps before "
            "the neuron first, and give it X and X_val as they transform them; or have a Pipeline "
            "do so: sklearn.set_config(enable_metadata_routing=True), then "
            "set_fit_request(X_val=True, y_val=True) on the neuron and "
            'Pipeline(..., transform_input=["X_val"]).',
        )
