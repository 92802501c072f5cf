"""Labels of more rows than are looked at at once."""

import numpy as np

from sknneuron._labels import ROWS_AT_ONCE

N = 2 * ROWS_AT_ONCE + 1000
CODES = np.random.default_rng(0).choice(3, N, p=[0.6, 0.3, 0.1])
LABELS = {
    "words": np.array(["no", "perhaps", "yes"])[CODES],
    "objects": np.array(["no", "perhaps", "yes"], dtype=object)[CODES],
    "whole numbers": CODES + 5,
    "floats": CODES * 2.0,
    "two words": np.array(["no", "yes"])[CODES // 2],
    "truth": CODES == 2,
    "column": CODES[:, None],
}
