"""numpy's functions on arrays of other libraries give what numpy gives."""

import array_api_strict
import numpy as np
import pytest

from sknneuron import _special as special
from sknneuron._dot import dot
from sknneuron.activations import ACTIVATIONS
from sknneuron.losses import SquaredError
from sknneuron.sources.device_array import DeviceArray, all_to_host, to_host

rng = np.random.default_rng(0)
Z = rng.normal(scale=3, size=(40, 3))


@pytest.fixture(params=["array_api_strict", "torch"])
def xp(request):
    if request.param == "array_api_strict":
        return array_api_strict
    return pytest.importorskip("torch")


def on_device(xp, values):
    return DeviceArray(xp.asarray(np.ascontiguousarray(values)))


def assert_same(device_value, host_value, **tolerance):
    assert isinstance(device_value, DeviceArray)
    assert device_value.dtype == host_value.dtype
    np.testing.assert_allclose(np.asarray(device_value), host_value, **tolerance)


FUNCTIONS = {
    "arithmetic": lambda z: 2 * z - z / 3 + 1 / (1 + z * z) - (-z) ** 2,
    "maximum": lambda z: np.maximum(z, 0) + np.minimum(0.5, z) + np.maximum(z, z[:, ::-1]),
    "comparison": lambda z: ((z > 0) & (z < 1)) | (z == z.max()),
    "where": lambda z: np.where(z > 0, z, -1.0),
    "mask of float": lambda z: 0.25 * (z > 0) + (z > 0).astype(np.float64),
    "counting": lambda z: (z > 0).sum(axis=0) + (z > 0).mean(axis=0),
    "sums": lambda z: z.sum(axis=0) + np.sum(z, axis=0) + np.add.reduce(z, axis=0),
    "initial": lambda z: z.max(initial=100.0, axis=0),
    "product": lambda z: z.reshape(4, 10, 3).prod(axis=1),
    "matmul": lambda z: z.T @ (z @ np.ones((3, 2))) + np.ones(40) @ z[:, :1],
    "einsum": lambda z: np.einsum("ik,ik->k", z, 2 * z),
    "einsum of another kind": lambda z: np.einsum("ij,ij->i", z, z),
    "scalar products of columns": lambda z: dot(z.T, z.T),
    "like": lambda z: np.ones_like(z) + np.zeros_like(z) + np.full_like(z, 0.5),
    "concatenate": lambda z: np.column_stack([z[:, 0], np.concatenate([z, z], axis=1)]),
    "divide into": lambda z: np.divide(z, np.abs(z), out=np.full_like(z, 7.0), where=z > 0),
    "median": lambda z: np.median(z, axis=0),
    "clip": lambda z: np.clip(z, -1, 1),
    "exp": lambda z: np.exp(z) + np.expm1(z) + np.log1p(np.abs(z)) + np.square(np.tanh(z)),
    "special": lambda z: (
        special.expit(z) + special.ndtr(z) + special.log_ndtr(z) + special.erfcx(np.abs(z))
    ),
    "xlogy": lambda z: special.xlogy(1.5, np.abs(z)) + special.xlog1py(z > 0, np.abs(z)),
    "softmax": lambda z: special.softmax(z, axis=1) + special.log_softmax(z, axis=1),
    "column": lambda z: z[:, None, 0] + z[5:1000, 1:2][:1],
    "rows": lambda z: z[np.array([3, 1, 3])] + z[[0, 0, 1]],
    "mask": lambda z: z[z[:, 0] > 0],
    "pairs of rows and columns": lambda z: z[np.arange(40), np.arange(40) % 3],
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numpy_functions(xp, name):
    function = FUNCTIONS[name]
    assert_same(function(on_device(xp, Z)), function(Z), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_and_their_derivatives(xp, name, dtype):
    f = ACTIVATIONS[name]()
    z = Z.astype(dtype)
    tolerance = 1e-12 if dtype == np.float64 else 3e-6
    for function in (f, f.derivative, f.second_derivative):
        assert_same(function(on_device(xp, z)), function(z), rtol=tolerance, atol=tolerance)
    for there, here in zip(f.with_derivative(on_device(xp, z)), f.with_derivative(z), strict=True):
        assert_same(there, here, rtol=tolerance, atol=tolerance)


def test_writing_in_place_is_seen_by_all_views(xp):
    z, host = on_device(xp, Z), Z.copy()
    column, host_column = z[:, 1], host[:, 1]
    column += 1
    host_column += 1
    np.negative(z, out=z)
    np.negative(host, out=host)
    z[np.arange(3), np.array([0, 1, 2])] -= 5
    host[np.arange(3), np.array([0, 1, 2])] -= 5
    z[z > 4] = 0
    host[host > 4] = 0
    np.testing.assert_array_equal(np.asarray(z), host)


def test_numpy_arrays_take_device_values(xp):
    host = np.empty((40, 4))
    host[:, 1:] = on_device(xp, Z)
    np.subtract(on_device(xp, Z[:, 0]), 1.0, out=host[:, 0])
    host *= on_device(xp, Z[:, :1])
    np.testing.assert_allclose(host, np.column_stack([Z[:, 0] - 1, Z]) * Z[:, :1])


def test_squared_errors_are_summed_where_they_lie(xp, monkeypatch):
    monkeypatch.setattr("sknneuron.sources.device_array._to_host", None)
    total, _ = SquaredError().sum_with_derivative(on_device(xp, Z), on_device(xp, Z[::-1]))
    assert_same(total, 0.5 * ((Z - Z[::-1]) ** 2).sum(axis=0), rtol=1e-13)


def test_what_the_library_lacks_is_done_on_the_host(xp):
    z = on_device(xp, Z)
    assert_same(np.diff(z, axis=0), np.diff(Z, axis=0))
    assert_same(np.hypot(z, 2.0), np.hypot(Z, 2.0))
    assert np.linalg.norm(z) == pytest.approx(np.linalg.norm(Z))
    assert z.tolist() == Z.tolist()
    with pytest.raises(AttributeError, match="toarray"):
        _ = z.toarray


def test_numbers(xp):
    z = on_device(xp, Z)
    assert float(z.max()) == Z.max()
    assert f"{z.max():.3f}" == f"{Z.max():.3f}"
    assert bool((z < 100).all())
    assert len(z) == 40
    assert np.shape(z) == (40, 3)
    assert z.size == 120


def test_everything_comes_back_to_the_host(xp):
    z = on_device(xp, Z)
    found = all_to_host(([(0, z, 1.0)], {"a": z}))
    assert type(found[0][0][1]) is np.ndarray
    assert type(found[1]["a"]) is np.ndarray
    assert to_host(z.array) == pytest.approx(Z)


def test_another_device_of_the_library():
    device = array_api_strict.Device("device1")
    z = DeviceArray(array_api_strict.asarray(Z, device=device))
    result = np.maximum(special.expit(z) @ np.ones((3, 2)), np.hypot(z[:, :1], 1.0))
    assert result.array.device == device
    expected = np.maximum(special.expit(Z) @ np.ones((3, 2)), np.hypot(Z[:, :1], 1.0))
    np.testing.assert_allclose(np.asarray(result), expected)
