"""Many labels are encoded in bytes, a part at a time: as all at once would be."""

import numpy as np
import pytest

from sknneuron import NeuronClassifier

from .many_rows import CODES, LABELS


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@pytest.mark.parametrize("loss", ["log_loss", "squared_hinge"])
@pytest.mark.parametrize("kind", LABELS)
def test_labels_in_bytes_are_those_in_floats(kind, loss):
    y = LABELS[kind]
    targets = NeuronClassifier(loss=loss)._learn_targets(y)
    compact, encoded = targets.encode_compact(y), targets.encode(y)
    assert compact.dtype.itemsize == 1
    assert compact.shape == encoded.shape
    np.testing.assert_array_equal(compact, encoded)


def test_an_indicator_in_bytes_is_that_in_floats():
    y = np.stack([CODES == 0, CODES == 2], axis=1).astype(int)
    targets = NeuronClassifier()._learn_targets(y)
    np.testing.assert_array_equal(targets.encode_compact(y), targets.encode(y))
