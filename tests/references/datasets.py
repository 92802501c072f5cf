"""Rows of many shapes, each with a signal that targets of every kind are drawn from."""

from dataclasses import dataclass
from functools import cache
from zlib import crc32

import numpy as np
from scipy import sparse
from sklearn import datasets


@dataclass(frozen=True)
class Rows:
    """X, a signal in it of mean 0 and deviation 1, and the penalty that these rows call for."""

    name: str
    X: object
    signal: np.ndarray
    alpha: float = 1e-3

    @property
    def X64(self):
        """Dense float64 rows, for references and peers."""
        X = self.X.toarray() if sparse.issparse(self.X) else self.X
        return X.astype(np.float64)

    def rng(self, task):
        return np.random.default_rng([crc32(self.name.encode()), crc32(task.encode())])

    def binary(self):
        """Labels 0 and 1, noisy enough that no plane separates them where n > p."""
        z = 1.5 * self.signal - (3.5 if self.name == "imbalanced" else 0)
        return (self.rng("binary").random(len(z)) < 1 / (1 + np.exp(-z))).astype(int)

    def classes(self, n_classes=3):
        noisy = self.signal + 0.7 * self.rng("classes").standard_normal(len(self.signal))
        level = [0.08, 0.2] if self.name == "imbalanced" else np.arange(1, n_classes) / n_classes
        return np.searchsorted(np.quantile(noisy, level), noisy)

    def numbers(self):
        noise = self.rng("numbers").standard_normal(len(self.signal))
        return 10 + 3 * self.signal + noise

    def counts(self):
        return self.rng("counts").poisson(np.exp(0.8 + 0.5 * self.signal)).astype(float)

    def positive(self):
        mean = np.exp(1 + 0.5 * self.signal)
        return self.rng("positive").gamma(3.0, mean / 3.0) + 1e-3

    def claims(self):
        """Compound Poisson-gamma: a lump at zero and a tail."""
        rng = self.rng("claims")
        n = rng.poisson(np.exp(0.3 + 0.4 * self.signal))
        return np.where(n > 0, rng.gamma(np.maximum(n, 1) * 2.0, 0.7), 0.0)

    def sample_weight(self):
        """From 0 to 5, a tenth of them zero."""
        rng = self.rng("weight")
        s = rng.uniform(0.1, 5, len(self.signal))
        s[rng.random(len(s)) < 0.1] = 0
        return s


def _standard(signal):
    return (signal - signal.mean()) / signal.std()


def _drawn(name, X, **kwargs):
    rng = np.random.default_rng(crc32(name.encode()))
    dense = X.toarray() if sparse.issparse(X) else X.astype(np.float64)
    w = rng.standard_normal(X.shape[1]) / np.maximum(dense.std(axis=0), 1e-9)
    return Rows(name, X, _standard(dense @ w), **kwargs)


def _one_hot(rng, n, sizes):
    parts = []
    for size in sizes:
        column = rng.choice(size, n, p=rng.dirichlet(np.full(size, 2.0)))
        parts.append(sparse.csr_array((np.ones(n), (np.arange(n), column)), shape=(n, size)))
    X = sparse.hstack(parts, format="csr")
    return X[:, np.flatnonzero(X.sum(axis=0) > 0)]


@cache
def all_rows():
    """The data sets by name."""
    rng = np.random.default_rng(20261123)
    iris = datasets.load_iris()
    wine = datasets.load_wine()
    cancer = datasets.load_breast_cancer()
    digits = datasets.load_digits()
    diabetes = datasets.load_diabetes(scaled=False)
    linnerud = datasets.load_linnerud()
    shared = rng.standard_normal((400, 1))
    near = rng.standard_normal((300, 6))
    found = [
        Rows("iris", iris.data, _standard(iris.target)),
        Rows("wine", wine.data, _standard(-1.0 * wine.target)),
        Rows("breast_cancer", cancer.data, _standard(1.0 * cancer.target)),
        Rows("digits", digits.data / 16, _standard(1.0 * (digits.target % 2))),
        Rows("diabetes", diabetes.data, _standard(diabetes.target)),
        Rows("linnerud", linnerud.data, _standard(linnerud.target[:, 1]), alpha=1e-2),
        _drawn("tall", rng.standard_normal((4000, 5)) * [1, 3, 0.2, 1, 10] + [0, 5, 0, -2, 1]),
        _drawn("wide", rng.standard_normal((40, 120)), alpha=0.05),
        _drawn("correlated", 0.95 * shared + 0.3 * rng.standard_normal((400, 15))),
        _drawn(
            "nearly_equal",
            np.c_[near, near[:, :3] + 1e-3 * rng.standard_normal((300, 3))],
            alpha=1e-4,
        ),
        _drawn("float32", (rng.standard_normal((600, 12)) + 2).astype(np.float32)),
        _drawn("one_hot", _one_hot(rng, 900, [30, 12, 5])),
        _drawn("imbalanced", rng.standard_normal((1500, 8))),
        _drawn("skewed", np.exp(rng.standard_normal((500, 7)))),
    ]
    return {rows.name: rows for rows in found}


NAMES = tuple(all_rows())
