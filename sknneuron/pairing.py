"""Which activation goes with which loss, and as which pair."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .activations import ACTIVATIONS, Activation, get_activation
from .closed_forms import (
    CLogLogLogLoss,
    ExpTweedie,
    ProbitLogLoss,
    SigmoidLogLoss,
    SoftmaxLogLoss,
    SoftplusPoisson,
    TanhLogLoss,
)
from .losses import LOSSES, Loss, get_loss
from .pairs import ChainRule, ClassifierChainRule, IdentityPair, Pair

CLOSED_FORMS: dict[tuple[str, str], type[Pair]] = {
    ("sigmoid", "log_loss"): SigmoidLogLoss,
    ("softmax", "log_loss"): SoftmaxLogLoss,
    ("probit", "log_loss"): ProbitLogLoss,
    ("cloglog", "log_loss"): CLogLogLogLoss,
    ("exp", "poisson"): ExpTweedie,
    ("exp", "gamma"): ExpTweedie,
    ("exp", "tweedie"): ExpTweedie,
    ("softplus", "poisson"): SoftplusPoisson,
    **{("identity", loss): IdentityPair for loss in LOSSES},
}
CLASSIFIER_CLOSED_FORMS = {**CLOSED_FORMS, ("tanh", "log_loss"): TanhLogLoss}
CONVEX_WITH_IDENTITY = {
    "squared_error",
    "absolute_error",
    "huber",
    "quantile",
    "hinge",
    "squared_hinge",
}


def make_pair(activation, loss, *, classifier: bool = False) -> Pair:
    """Return the pair of an activation and a loss, or refuse it.

    Parameters
    ----------
    activation : str or Activation
    loss : str or Loss
    classifier : bool, default=False
        Whether levels are to become probabilities.

    Returns
    -------
    pair : Pair

    Raises
    ------
    ValueError
        For a pair that makes no sense; the message lists what would do.

    Examples
    --------
    >>> from sknneuron.pairing import make_pair
    >>> make_pair("exp", "poisson").convex
    True
    """
    if isinstance(activation, str) and isinstance(loss, str):
        return _pair_of_names(activation, loss, classifier)
    return _pair_of(get_activation(activation), get_loss(loss), classifier)


@lru_cache(maxsize=256)
def _pair_of_names(activation: str, loss: str, classifier: bool) -> Pair:
    # Pairs hold no state, and every prediction asks for one.
    return _pair_of(get_activation(activation), get_loss(loss), classifier)


def _pair_of(activation: Activation, loss: Loss, classifier: bool) -> Pair:
    suits = _suits_classifier if classifier else _suits_regressor
    if not suits(activation, loss):
        raise ValueError(_refusal(activation, loss, suits, classifier))
    key = activation.name, loss.name
    convex = _is_convex(activation, loss, classifier)
    if classifier:
        cls = CLASSIFIER_CLOSED_FORMS.get(key, ClassifierChainRule)
    else:
        cls = CLOSED_FORMS.get(key, ChainRule)
    # A subclass of the user's is not what the closed forms were derived for.
    if type(activation) is not ACTIVATIONS.get(activation.name) or (
        type(loss) is not LOSSES.get(loss.name)
    ):
        bounded = classifier and not loss.margin
        cls, convex = (ClassifierChainRule if bounded else ChainRule), False
    return cls(activation, loss, convex)


def _is_convex(activation: Activation, loss: Loss, classifier: bool) -> bool:
    if activation.name == "identity":
        return loss.name in CONVEX_WITH_IDENTITY
    if loss.name == "log_loss":
        return activation.name in ("sigmoid", "softmax", "probit", "cloglog") or (
            classifier and activation.name == "tanh"
        )
    if activation.name == "exp":
        return loss.name in ("poisson", "gamma") or (
            loss.name == "tweedie" and 1 <= loss.number("power") <= 2
        )
    # softplus is log-concave, so -y log softplus(z) is convex as softplus itself is.
    poisson = loss.name == "poisson" or loss.get_params() == {"power": 1}
    return activation.name == "softplus" and poisson


def _suits_regressor(activation: Activation, loss: Loss) -> bool:
    low, high = activation.range
    least, most = loss.level_range
    inside = low > least or np.isinf(least) or (low == least and not activation.attains_low)
    return bool(inside and high <= most and not loss.margin and not activation.coupled)


def _suits_classifier(activation: Activation, loss: Loss) -> bool:
    if loss.margin:
        return activation.name == "identity"
    if activation.coupled:
        # No chain rule element by element could stand in for the closed form.
        return type(loss) is LOSSES["log_loss"]
    return bool(np.all(np.isfinite(activation.range))) and loss.name in (
        "log_loss",
        "squared_error",
    )


def _refusal(activation: Activation, loss: Loss, suits, classifier: bool) -> str:
    task, other = "NeuronClassifier", "NeuronRegressor"
    if not classifier:
        task, other = other, task
    losses = [name for name, cls in LOSSES.items() if suits(activation, cls())]
    activations = [name for name, cls in ACTIVATIONS.items() if suits(cls(), loss)]
    low, high = activation.range
    reason = f"its levels lie between {low:g} and {high:g}"
    if loss.margin:
        reason = "a hinge acts on the margin of a classifier"
    elif activation.coupled:
        reason = "a softmax layer is for the log_loss of a classifier"
    elif classifier:
        reason += ", which makes them no probabilities" if np.isinf(high) else ""
    else:
        reason += f" and the loss needs levels in {loss.level_range}"
    return (
        f"activation='{activation.name}' with loss='{loss.name}' makes no sense in {task}: "
        f"{reason}. With activation='{activation.name}' use "
        f"{f'one of the losses {losses}' if losses else other}; with loss='{loss.name}' use "
        f"{f'one of the activations {activations}' if activations else other}."
    )
