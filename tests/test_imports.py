"""What importing the package does and does not do."""

import importlib.metadata
import importlib.resources
import json
import subprocess
import sys

import sknneuron

# Extras, and what their import costs or needs; each is imported where it is used.
OPTIONAL = {"mlflow", "matplotlib", "dask", "distributed", "torch", "pyarrow", "skops"}


def test_import_leaves_the_extras_alone():
    # pandas itself looks for pyarrow: what is imported before ours is not ours.
    program = (
        "import json, sys, numpy, scipy, pandas, sklearn.base\n"
        "before = set(sys.modules)\n"
        "import sknneuron\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in set(sys.modules) - before})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert OPTIONAL.isdisjoint(json.loads(done.stdout))


def test_version_is_the_one_installed():
    assert sknneuron.__version__ == importlib.metadata.version("sknneuron")


def test_types_are_advertised():
    assert importlib.resources.files("sknneuron").joinpath("py.typed").is_file()


def test_public_names():
    assert set(sknneuron.__all__) == {
        "TRUSTED_TYPES",
        "NeuronClassifier",
        "NeuronLayer",
        "NeuronRegressor",
        "NeuronWarning",
        "__version__",
    }
    assert all(hasattr(sknneuron, name) for name in sknneuron.__all__)
