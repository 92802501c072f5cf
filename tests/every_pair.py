"""Every pair that make_pair accepts, and targets for it."""

import numpy as np

from sknneuron.activations import ACTIVATIONS
from sknneuron.losses import LOSSES, Huber, Quantile, Tweedie
from sknneuron.pairing import make_pair
from sknneuron.pairs import ChainRule, ClassifierChainRule, Rescaled


def accepted(classifier):
    losses = [cls() for cls in LOSSES.values()]
    extra = [Tweedie(0.0), Tweedie(1.0), Tweedie(2.0), Tweedie(3.0), Huber(0.2), Quantile(0.9)]
    for cls in ACTIVATIONS.values():
        more = extra if cls.name in ("identity", "exp", "softplus") else []
        for loss in losses + more:
            try:
                yield make_pair(cls(), loss, classifier=classifier)
            except ValueError:
                continue


CLASSIFIERS = list(accepted(True))
ALL = [*accepted(False), *CLASSIFIERS]
ELEMENTWISE = [pair for pair in ALL if not pair.coupled]
CLOSED = [pair for pair in ELEMENTWISE if not isinstance(pair, ChainRule)]
SOFTMAX = make_pair("softmax", "log_loss", classifier=True)
FAR = np.array([-1e3, -700.0, -100.0, -30.0, -5.0, -0.3, 2.0, 8.0, 30.0, 100.0, 700.0, 1e3])


def targets(pair, shape, rng):
    """Targets the loss allows, its limits among them."""
    if pair.loss.margin:
        return rng.choice([-1.0, 1.0], shape)
    low, high, low_included, _ = pair.loss.target_range
    if high == 1:
        return rng.choice([0.0, 0.25, 1.0], shape)
    if low == 0:
        y = rng.gamma(2.0, size=shape)
        return np.where(rng.random(shape) < 0.3, 0.0, y) if low_included else y
    if isinstance(pair, ClassifierChainRule):
        return rng.choice([0.0, 1.0], shape)
    return rng.normal(scale=1.5, size=shape)


def draw(pair, n=300, k=2, seed=0, scale=1.5):
    rng = np.random.default_rng(seed)
    return targets(pair, (n, k), rng), rng.normal(scale=scale, size=(n, k))


def central(function, z, h=1e-4):
    return (
        8 * (function(z + h) - function(z - h)) - (function(z + 2 * h) - function(z - 2 * h))
    ) / (12 * h)


def is_rescaled(pair):
    return pair in CLASSIFIERS and not pair.loss.margin and not pair.coupled


def loss_in_z(pair):
    """The chain rule's loss, to which the closed forms are held."""
    if is_rescaled(pair):
        return ChainRule(Rescaled(pair.activation), pair.loss)
    return ChainRule(pair.activation, pair.loss)
