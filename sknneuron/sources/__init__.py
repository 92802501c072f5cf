"""Where the rows of a training set live.

A solver never sees rows. It asks a source for sums over rows, and only the source knows where they
are and how to read them block by block.
"""

from .array import ArraySource
from .base import Source
from .parquet import ParquetSource

__all__ = ["ArraySource", "ParquetSource", "Source"]
