"""Seeded data for the benchmarks: independent, correlated, rare dummies, one-hot, real."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.preprocessing import OneHotEncoder, StandardScaler

DATA = Path(__file__).parents[2] / "examples" / "data"


def independent(n, p, seed=0):
    """Independent standard normal columns: easy for gradient methods."""
    return np.random.default_rng(seed).standard_normal((n, p))


def correlated(n, p, seed=0, condition=1e2):
    """Columns that share factors, on scales apart by the root of `condition`, off centre."""
    rng = np.random.default_rng(seed)
    k = max(2, p // 10)
    X = rng.standard_normal((n, k)) @ (0.7 * rng.standard_normal((k, p)))
    X += rng.standard_normal((n, p))
    X -= X.mean(axis=0)
    X /= X.std(axis=0)
    X *= np.geomspace(1, np.sqrt(condition), p)[rng.permutation(p)] / condition**0.25
    X += 0.5 * rng.standard_normal(p)
    return X


def rare_dummies(n, p, n_dummies=10, seed=0):
    """Correlated columns beside dummies that 1e-5 to 1e-3 of the rows carry."""
    rng = np.random.default_rng([seed, 1])
    X = np.zeros((n, p))
    X[:, n_dummies:] = correlated(n, p - n_dummies, seed)
    for j, share in enumerate(np.geomspace(1e-5, 1e-3, n_dummies)):
        X[rng.choice(n, max(4, round(share * n)), replace=False), j] = 1
    return X


def one_hot(n, n_levels=10_000, n_numeric=10, seed=0):
    """CSR: four one-hot groups of `n_levels` in all, and a few dense numeric columns."""
    rng = np.random.default_rng(seed)
    per_group = n_levels // 4
    codes = [(per_group * rng.random(n) ** 2).astype(int) + g * per_group for g in range(4)]
    columns = np.stack(codes, axis=1).ravel()
    rows = np.repeat(np.arange(n), 4)
    hot = sparse.csr_array((np.ones(4 * n), (rows, columns)), shape=(n, n_levels))
    return sparse.csr_array(sparse.hstack([hot, rng.standard_normal((n, n_numeric))], format="csr"))


def weighted_sum(X, seed=0, spread=2.0):
    """z of a random neuron that uses 60% of the columns."""
    rng = np.random.default_rng([seed, 2])
    w = rng.standard_normal(X.shape[1]) * (rng.random(X.shape[1]) < 0.6)
    z = X @ w
    return (z - z.mean()) * (spread / z.std())


def two_classes(z, seed=0, shift=-1.0):
    rng = np.random.default_rng([seed, 3])
    return (rng.random(len(z)) < 1 / (1 + np.exp(-z - shift))).astype(int)


def classes(X, n_classes=10, seed=0):
    rng = np.random.default_rng([seed, 4])
    Z = (X - X.mean(axis=0)) @ rng.standard_normal((X.shape[1], n_classes))
    return np.argmax(Z / Z.std() + rng.gumbel(size=Z.shape), axis=1)


def counts(z, seed=0):
    return np.random.default_rng([seed, 5]).poisson(np.exp(0.35 * z - 1)).astype(float)


def amounts(z, seed=0):
    return np.random.default_rng([seed, 6]).gamma(2.0, np.exp(0.35 * z)) + 1e-9


def ames():
    """Ames, one-hot: (X, log price in units of its deviation)."""
    sales = pd.read_csv(DATA / "ames.csv").drop(columns=["Order", "PID"])
    price = np.log(sales.pop("price").to_numpy(float))
    numeric = sales.select_dtypes("number").fillna(sales.median(numeric_only=True))
    text = sales.select_dtypes(exclude="number").fillna("none").astype(str)
    hot = OneHotEncoder(sparse_output=False, drop="first").fit_transform(text)
    X = np.hstack([StandardScaler().fit_transform(numeric), hot])
    return X, (price - price.mean()) / price.std()


def ames_copies(n_copies, seed=0):
    """Ames with its sales repeated, numbers shaken a little: (X, dearer than the median)."""
    X, price = ames()
    rng = np.random.default_rng([seed, 8])
    rows = np.tile(np.arange(len(X)), n_copies)
    is_number = np.ptp(X, axis=0) > 1
    X = X[rows]
    X[:, is_number] += 0.1 * rng.standard_normal((len(rows), int(is_number.sum())))
    return X, (price[rows] + 0.5 * rng.standard_normal(len(rows)) > 0).astype(int)


def text_like(n, p, per_row=40, seed=0):
    """CSR: words of a long tail, and two classes that a few hundred of them tell apart."""
    rng = np.random.default_rng([seed, 9])
    words = np.minimum((p ** rng.random((n, per_row))).astype(int), p) - 1
    counts = sparse.csr_array(
        (np.ones(words.size), (np.repeat(np.arange(n), per_row), words.ravel())), shape=(n, p)
    )
    counts.sum_duplicates()
    # liblinear takes no longer ones.
    counts.indices = counts.indices.astype(np.int32)
    counts.indptr = counts.indptr.astype(np.int32)
    w = np.zeros(p)
    w[rng.choice(p // 10, 300, replace=False)] = rng.standard_normal(300)
    z = counts @ w
    return counts, two_classes((z - z.mean()) / z.std() * 2, seed, shift=0.0)


def digits():
    return load_digits(return_X_y=True)
