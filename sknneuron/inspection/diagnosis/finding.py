"""What a diagnosis consists of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import pandas as pd

SEVERITIES = ("error", "warning", "info")


@dataclass(frozen=True)
class Finding:
    """One thing that a check found.

    Attributes
    ----------
    code : str
        Which check, "DEAD" for example.
    severity : {"info", "warning", "error"}
    value : float
        The number that shows it.
    message : str
        What is the case, with that number.
    advice : str
        What to do.
    params : dict
        Parameters of the neuron that the advice says to change, for
        ``neuron.set_params(**finding.params)``; empty where the advice is of another kind.
    features : tuple of str
        The columns concerned, if any.
    rows : tuple of int
        Positions of the rows concerned, if any.
    """

    code: str
    severity: str
    value: float
    message: str
    advice: str
    params: Mapping[str, Any] = field(default_factory=dict)
    features: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.severity.upper():<7} {self.code}: {self.message}\n        -> {self.advice}"


class Diagnosis(Sequence):
    """Findings, the gravest first. True if any is a warning or an error.

    Parameters
    ----------
    findings : list of Finding
    subject : str, default="neuron"
        Whose, for what is printed.

    Examples
    --------
    >>> from sknneuron.inspection import Diagnosis
    >>> print(Diagnosis([]))
    Nothing to report on this neuron.
    """

    def __init__(self, findings: Sequence[Finding], subject: str = "neuron"):
        self.findings = sorted(findings, key=lambda f: SEVERITIES.index(f.severity))
        self.subject = subject

    @property
    def codes(self) -> list[str]:
        """Codes of the findings, each once."""
        return list(dict.fromkeys(f.code for f in self.findings))

    def to_frame(self) -> pd.DataFrame:
        """Return the findings as a table, one row each."""
        columns = ["code", "severity", "value", "message", "advice", "features", "rows"]
        rows = [[getattr(f, name) for name in columns] for f in self.findings]
        return pd.DataFrame(rows, columns=columns)

    def __bool__(self) -> bool:
        return any(f.severity != "info" for f in self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __getitem__(self, i):
        return self.findings[i]

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __str__(self) -> str:
        if not self.findings:
            return f"Nothing to report on this {self.subject}."
        return "\n".join(str(f) for f in self.findings)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        if not self.findings:
            return f"<p>{escape(str(self))}</p>"
        rows = "".join(
            f"<tr><td>{f.severity}</td><td><b>{f.code}</b></td>"
            f"<td style='text-align:left'>{escape(f.message)}</td>"
            f"<td style='text-align:left'>{escape(f.advice)}</td></tr>"
            for f in self.findings
        )
        head = "<tr><th></th><th>code</th><th>what</th><th>what to do</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"
