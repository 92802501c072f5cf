"""Names that MLflow takes as metric keys."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

# MLflow takes letters and digits of any script, "_", ".", "-", " ", ":" and "/". A slash would
# start a section of its own in the UI, and clients on Windows refuse a colon.
_REFUSED = re.compile(r"[^\w.\- ]")
# weights/<output>/<feature> stays under MLflow's 250 characters.
MAX_LENGTH = 115


def safe_keys(names: Sequence[str], max_length: int = MAX_LENGTH) -> list[str]:
    """Return a different part of a metric key for each name, the name itself where it will do.

    Refused characters become an underscore. Names that are too long, or that come out like one
    before them, end in a hash of the name.

    Parameters
    ----------
    names : sequence of str
    max_length : int, default=115

    Returns
    -------
    keys : list of str

    Examples
    --------
    >>> safe_keys(["age", "zip=95608", "zip_95608", "m²"])
    ['age', 'zip_95608', 'zip_95608-ad1449', 'm²']
    """
    taken: set[str] = set()
    keys = []
    for position, name in enumerate(names):
        key = _REFUSED.sub("_", name).strip()
        # "." and ".." mean a folder.
        if not key.strip("."):
            key = f"_{key}"
        if len(key) > max_length or key in taken:
            key = _hashed(key, name, max_length)
        if key in taken:
            key = _hashed(key, f"{position} {name}", max_length)
        taken.add(key)
        keys.append(key)
    return keys


def _hashed(key: str, name: str, max_length: int) -> str:
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{key[: max_length - 7]}-{digest}"
