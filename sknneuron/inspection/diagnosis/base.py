"""What a check is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from .finding import Finding

if TYPE_CHECKING:
    from .subject import Subject


class Check:
    """One check: looks at a subject and yields what it finds.

    Attributes
    ----------
    code : str
    needs_targets : bool
        Whether it can say nothing without y.
    """

    code: ClassVar[str]
    needs_targets: ClassVar[bool] = False

    def __call__(self, subject: Subject) -> Iterator[Finding]:
        raise NotImplementedError
