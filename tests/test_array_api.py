"""What needs scipy imported with SCIPY_ARRAY_API=1, in processes of its own."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("array_api_strict")


@pytest.mark.slow
@pytest.mark.parametrize(
    "what",
    [
        ["tests/sources/test_device.py", "-m", "not gpu"],
        ["tests/test_sklearn_contract.py", "-k", "array_api"],
        ["tests/test_smoke.py"],
    ],
    ids=["fits on devices", "scikit-learn's checks", "numpy as before"],
)
def test_with_array_api(what):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *what],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert " passed" in done.stdout
