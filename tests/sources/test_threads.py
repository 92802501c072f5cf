"""Threads: the same bits whatever their number, and BLAS left as it was found."""

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from threadpoolctl import threadpool_info, threadpool_limits

from sknneuron import NeuronClassifier, NeuronRegressor
from sknneuron.sources._blas import available_threads, single_threaded_blas

# Long enough that all threads have blocks to sum.
RNG = np.random.default_rng(0)
X = RNG.standard_normal((30_000, 20))
Z = X @ RNG.standard_normal(20)
LABELS = (Z + RNG.standard_normal(30_000) > 0).astype(int)
NEURONS = {
    "logistic": (NeuronClassifier, {}, LABELS),
    "softmax": (NeuronClassifier, {"tol": 1e-6}, LABELS + (Z > 2)),
    "l1": (NeuronClassifier, {"l1_ratio": 1.0, "alpha": 1e-3}, LABELS),
    "least squares": (NeuronRegressor, {}, Z + np.sin(9 * Z)),
    "tanh": (NeuronRegressor, {"activation": "tanh", "random_state": 0}, np.tanh(Z)),
}


def blas_threads():
    return [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]


@pytest.mark.parametrize("name", NEURONS)
def test_same_bits_for_any_number_of_threads(name):
    task, params, y = NEURONS[name]
    one = task(**params, n_jobs=1).fit(X, y)
    for n_jobs in (2, 3, 8):
        more = task(**params, n_jobs=n_jobs).fit(X, y)
        assert_array_equal(more.coef_, one.coef_)
        assert_array_equal(more.intercept_, one.intercept_)


@pytest.mark.parametrize("shape", [(500, 10), (2000, 10), (8000, 4), (150, 60)])
def test_same_bits_whatever_threads_blas_had(shape):
    rows = RNG.standard_normal(shape)
    y = (rows[:, 0] + RNG.standard_normal(len(rows)) > 0).astype(int)
    fits = []
    for limit in (1, 2, 4):
        with threadpool_limits(limit):
            fits.append(NeuronClassifier().fit(rows, y).coef_)
    assert_array_equal(fits[1], fits[0])
    assert_array_equal(fits[2], fits[0])


def test_overlapping_fits_leave_blas_as_they_found_it():
    before = blas_threads()
    start = threading.Barrier(6)
    errors = []

    def fit(i):
        try:
            start.wait()
            for k in range(1, 4):
                # Lengths differ, so that fits begin and end while others are under way.
                n = 4000 * (1 + (i * k) % 5)
                NeuronClassifier(tol=1e-6).fit(X[:n], LABELS[:n])
        except Exception as error:
            errors.append(error)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        threads = [threading.Thread(target=fit, args=(i,)) for i in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not errors
    assert blas_threads() == before


def test_the_limit_is_lifted_by_the_last_one_out_and_after_errors():
    before = blas_threads()
    with single_threaded_blas():
        assert set(blas_threads()) == {1}
        with single_threaded_blas():
            # What joblib allows, not the limit of our own making.
            assert available_threads() == max(before)
        assert set(blas_threads()) == {1}
    with pytest.raises(ZeroDivisionError), single_threaded_blas():
        1 / 0  # noqa: B018
    assert blas_threads() == before


def in_a_thread(function):
    """What a function returns in a thread of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def threads_inside():
    with single_threaded_blas():
        return blas_threads()


def test_the_limit_holds_in_any_thread():
    with threadpool_limits(2):
        # The main thread has had a say before.
        before = threads_inside() and blas_threads()
        assert set(in_a_thread(threads_inside)) == {1}
        assert blas_threads() == before
        here = NeuronClassifier().fit(X, LABELS).coef_
        assert_array_equal(in_a_thread(lambda: NeuronClassifier().fit(X, LABELS).coef_), here)


def test_the_limit_is_lifted_by_another_thread_than_set_it():
    with threadpool_limits(2):
        before = blas_threads()
        inside, first_is_out = threading.Event(), threading.Event()

        def stay():
            with single_threaded_blas():
                inside.set()
                first_is_out.wait(30)

        thread = threading.Thread(target=stay)
        with single_threaded_blas():
            thread.start()
            inside.wait(30)
        assert set(blas_threads()) == {1}
        first_is_out.set()
        thread.join()
        assert blas_threads() == before


def test_limits_of_others_hold_after_a_fit():
    def limited():
        with threadpool_limits(1):
            return blas_threads()

    with threadpool_limits(2):
        NeuronClassifier().fit(X, LABELS)
        assert set(in_a_thread(limited)) == {1}
