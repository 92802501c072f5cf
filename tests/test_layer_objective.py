"""The objective of a layer against finite differences, torch and its definition."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from sknneuron.activations import ACTIVATIONS
from sknneuron.layer_objective import LayerCoordinates, LayerObjective
from sknneuron.pairing import make_pair
from sknneuron.sources import ArraySource

HIDDEN = [name for name, cls in ACTIVATIONS.items() if not cls.coupled]
# What the outputs are, and how many.
OUTPUTS = {
    "number": ("identity", "squared_error", 1),
    "numbers": ("identity", "squared_error", 3),
    "huber": ("identity", "huber", 1),
    "count": ("exp", "poisson", 1),
    "two classes": ("sigmoid", "log_loss", 1),
    "labels": ("sigmoid", "log_loss", 3),
    "margins": ("identity", "squared_hinge", 2),
    "classes": ("softmax", "log_loss", 4),
}
N_ROWS, N_FEATURES, N_NEURONS = 40, 3, 5


def rows(output, *, is_sparse=False, weighted=True, seed=0):
    rng = np.random.default_rng(seed)
    activation, loss, n_outputs = OUTPUTS[output]
    X = rng.standard_normal((N_ROWS, N_FEATURES)) * [1, 20, 0.1] + [0, 5, 1]
    if is_sparse:
        X = sparse.csr_array(X * (rng.random(X.shape) < 0.5))
    if activation == "softmax":
        y = np.arange(N_ROWS) % n_outputs
    elif loss == "log_loss":
        y = rng.integers(0, 2, (N_ROWS, n_outputs)).astype(float)
    elif loss == "squared_hinge":
        y = 2.0 * rng.integers(0, 2, (N_ROWS, n_outputs)) - 1
    elif loss == "poisson":
        y = rng.poisson(3.0, (N_ROWS, n_outputs)).astype(float)
    else:
        y = 1e3 + 100 * rng.standard_normal((N_ROWS, n_outputs))
    weight = rng.uniform(0.5, 2, N_ROWS) if weighted else None
    return ArraySource(X, y, weight)


def layer(output, activation="tanh", alpha=0.01, **kwargs):
    pair_activation, loss, n_outputs = OUTPUTS[output]
    classifier = loss in ("log_loss", "squared_hinge")
    pair = make_pair(pair_activation, loss, classifier=classifier)
    activation = ACTIVATIONS[activation]()
    return LayerObjective(rows(output, **kwargs), activation, pair, alpha, N_NEURONS, n_outputs)


def point(objective, seed=1):
    # Away from the kinks, on which no difference quotient is the derivative.
    return 0.4 * np.random.default_rng(seed).standard_normal(objective.shape)


def numerical_gradient(f, theta, step=1e-6):
    gradient = np.empty_like(theta)
    for j in range(theta.size):
        e = np.zeros_like(theta)
        e.flat[j] = step
        gradient.flat[j] = (f(theta + e) - f(theta - e)) / (2 * step)
    return gradient


def outputs(objective, theta):
    coef, intercept, output_coef, output_intercept = objective.to_weights(theta)
    X = objective.source.X
    a = objective.activation((X.toarray() if sparse.issparse(X) else X) @ coef.T + intercept)
    return a @ output_coef.T + output_intercept


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("activation", HIDDEN)
def test_gradient_is_that_of_finite_differences(activation, output):
    objective = layer(output, activation)
    theta = point(objective)
    value, gradient = objective.value_and_gradient(theta)
    expected = numerical_gradient(lambda t: objective.value(t)[0], theta)
    assert_allclose(value, objective.value(theta), rtol=1e-14)
    assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("output", OUTPUTS)
def test_value_is_the_definition(output, weighted, is_sparse):
    objective = layer(output, weighted=weighted, is_sparse=is_sparse)
    theta, source = point(objective), objective.source
    terms = objective.pair.derivatives(source.y, outputs(objective, theta), 0)[0].sum(axis=1)
    coef, _, output_coef, _ = objective.to_weights(theta)
    penalty = 0.5 * 0.01 * (np.sum(coef**2) + np.sum(output_coef**2))
    weights = np.ones(N_ROWS) if source.sample_weight is None else source.sample_weight
    assert_allclose(objective.value(theta), np.average(terms, weights=weights) + penalty)


@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("output", OUTPUTS)
def test_gauss_newton_is_slopes_and_curvature_of_the_outputs(output, weighted, is_sparse):
    objective = layer(output, weighted=weighted, is_sparse=is_sparse)
    theta, source = point(objective), objective.source
    value, gradient, hessian = objective.value_gradient_hessian(theta)
    assert_allclose(value, objective.value(theta), rtol=1e-13)
    assert_allclose(gradient, objective.value_and_gradient(theta)[1], rtol=1e-9, atol=1e-12)

    o = outputs(objective, theta)
    J = np.empty((*o.shape, theta.size))
    for j in range(theta.size):
        e = np.zeros_like(theta)
        e.flat[j] = 1e-6
        J[:, :, j] = (outputs(objective, theta + e) - outputs(objective, theta - e)) / 2e-6
    d = objective.pair.derivatives(source.y, o, 2, True)[2]
    D = d[:, :, None] * np.eye(o.shape[1])
    if objective.pair.coupled:
        D = D - d[:, :, None] * d[:, None, :]
    weights = np.ones(N_ROWS) if source.sample_weight is None else source.sample_weight
    expected = np.einsum("i,ikp,ikl,ilq->pq", weights / weights.sum(), J, D, J)
    expected += np.diag(objective.l2)
    assert_allclose(hessian[0], expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("output", OUTPUTS)
def test_weights_go_there_and_back(output, is_sparse):
    objective = layer(output, is_sparse=is_sparse)
    theta = point(objective)
    assert_allclose(objective.from_weights(*objective.to_weights(theta)), theta, rtol=1e-9)
    shapes = tuple(w.shape for w in objective.settled_weights(theta))
    assert shapes == objective.weight_shapes
    settled = objective.from_weights(*objective.settled_weights(theta))
    assert_allclose(objective.value(settled), objective.value(theta), rtol=1e-12)


@pytest.mark.parametrize("output", OUTPUTS)
def test_zero_is_the_best_output_bias_alone(output):
    objective = layer(output)
    value, gradient = objective.value_and_gradient(objective.null())
    assert_allclose(value, objective.null_value, rtol=1e-12)
    bias = gradient[0, objective.n_hidden :].reshape(objective.n_outputs, -1)[:, -1]
    assert_allclose(bias, 0, atol=1e-6)


def test_gradient_norm_is_that_in_weights():
    objective = layer("numbers")
    theta = point(objective)
    weights = objective.to_weights(theta)
    flat = np.concatenate(weights, axis=None)
    edges = np.cumsum([w.size for w in weights])[:-1]

    def value(flat):
        parts = [
            p.reshape(s)
            for p, s in zip(np.split(flat, edges), objective.weight_shapes, strict=True)
        ]
        return objective.value(objective.from_weights(*parts))[0]

    expected = np.linalg.norm(numerical_gradient(value, flat))
    found = objective.weight_gradient_norm(objective.value_and_gradient(theta)[1])
    assert_allclose(found, expected, rtol=1e-5)


def test_columns_far_from_zero_keep_their_digits():
    near = layer("number", alpha=0)
    far = rows("number")
    far.X = far.X + 1e7
    objective = LayerObjective(far, near.activation, near.pair, 0.0, N_NEURONS, 1)
    theta = point(near)
    for order in range(2):
        expected = [near.value, lambda t: near.value_and_gradient(t)[1]][order](theta)
        found = [objective.value, lambda t: objective.value_and_gradient(t)[1]][order](theta)
        assert_allclose(found, expected, rtol=1e-5)


def test_coordinates_count_a_weight_of_k_as_k_rows():
    source = rows("classes")
    k = np.random.default_rng(2).integers(0, 4, N_ROWS)
    weighted = ArraySource(source.X, source.y, k.astype(float))
    copies = ArraySource(np.repeat(source.X, k, axis=0), np.repeat(source.y, k))
    pair = make_pair("softmax", "log_loss", classifier=True)
    for name, value in (
        LayerCoordinates.of(weighted, pair, (weighted.y, weighted.sample_weight), 0.0)
        .state()
        .items()
    ):
        expected = LayerCoordinates.of(copies, pair, (copies.y, None), 0.0).state()[name]
        assert_allclose(value, expected, rtol=1e-12, err_msg=name)


TORCH = {
    "identity": lambda F, z: z,
    "sigmoid": lambda F, z: z.sigmoid(),
    "tanh": lambda F, z: z.tanh(),
    "relu": lambda F, z: F.relu(z),
    "leaky_relu": lambda F, z: F.leaky_relu(z),
    "elu": lambda F, z: F.elu(z),
    "softplus": lambda F, z: F.softplus(z),
    "gelu": lambda F, z: F.gelu(z),
    "silu": lambda F, z: F.silu(z),
    "softsign": lambda F, z: F.softsign(z),
    "exp": lambda F, z: z.exp(),
    "probit": lambda F, z: (1 + (z / 2**0.5).erf()) / 2,
    "cloglog": lambda F, z: 1 - (-z.exp()).exp(),
}


@pytest.mark.parametrize("output", ["number", "two classes", "classes"])
@pytest.mark.parametrize("activation", HIDDEN)
def test_gradient_is_that_of_torch(activation, output):
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    objective = layer(output, activation)
    theta, source = point(objective), objective.source
    weights = [torch.tensor(np.asarray(w), requires_grad=True) for w in objective.to_weights(theta)]
    X, y, s = (torch.tensor(a) for a in (source.X, source.y, source.sample_weight))
    o = TORCH[activation](functional, X @ weights[0].T + weights[1]) @ weights[2].T + weights[3]
    losses = {
        "number": lambda: (o - y)[:, 0] ** 2 / 2,
        "two classes": lambda: functional.binary_cross_entropy_with_logits(o, y, reduction="none")[
            :, 0
        ],
        "classes": lambda: functional.cross_entropy(o, y, reduction="none"),
    }
    loss = losses[output]()
    total = (s * loss).sum() / s.sum()
    total = total + 0.005 * ((weights[0] ** 2).sum() + (weights[2] ** 2).sum())
    total.backward()
    value, gradient = objective.value_and_gradient(theta)
    assert_allclose(value[0], total.item(), rtol=1e-12)
    # The chain rule from theta to the weights, by the map between them.
    expected = np.empty_like(theta)
    base = np.concatenate(objective.to_weights(0 * theta), axis=None)
    slopes = np.concatenate([w.grad.numpy() for w in weights], axis=None)
    for j in range(theta.size):
        e = np.zeros_like(theta)
        e.flat[j] = 1
        expected.flat[j] = slopes @ (np.concatenate(objective.to_weights(e), axis=None) - base)
    assert_allclose(gradient, expected, rtol=1e-7, atol=1e-9 * np.abs(expected).max())
