"""Results as a file, and as the tables that the docs page includes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

DOCS = Path(__file__).parents[2] / "docs"
RESULTS, TABLES = DOCS / "benchmarks.json", DOCS / "benchmarks.inc"
SECTIONS = ("speed", "memory", "digits", "defaults")


def empty() -> dict:
    return {section: [] for section in SECTIONS}


def load() -> dict:
    """Results of earlier runs, to which rows are added."""
    return {**empty(), **json.loads(RESULTS.read_text())} if RESULTS.exists() else empty()


def add(results: dict, section: str, row: dict) -> None:
    """Add a row, in place of an earlier one of the same work."""
    rows = results[section]
    same = [i for i, old in enumerate(rows) if old["work"] == row["work"]]
    rows[same[0] if same else len(rows) : (same[0] + 1) if same else len(rows)] = [row]


def save(results: dict) -> None:
    """Write the results, and the tables and claims made from them."""
    from . import claims

    RESULTS.write_text(json.dumps(results, indent=1, default=float) + "\n")
    TABLES.write_text("\n".join(_tables(results)) + "\n")
    claims.main()


def line(row: dict) -> str:
    """A row of the table of speed as one line of text."""
    return (
        f"{row['work']}: {1e3 * row['ours']:.4g} ms, {row['reads']:.1f} reads, left "
        f"{row['left']:.0e}; {row['best']} {1e3 * row['peer']:.4g} ms; ratio {row['ratio']:.2f} "
        f"(CPU {row['cpu_ratio']:.2f}), must {row['must']}, aim {row['aim']}; "
        f"missed: {', '.join(row['missed']) or '-'}"
    )


def _tables(results: dict):
    machines = dict.fromkeys(row["machine"] for rows in results.values() for row in rows)
    yield from (f"Measured on {machine}." for machine in machines)
    yield from _table(
        "Speed",
        ["work", "ratio", "must", "aim", "ours (ms)", "best peer", "its (ms)", "CPU ratio",
         "reads of X", "left", "load", "did not get there, or far behind"],
        [
            [
                row["work"],
                _number(row["ratio"], "**{:.2f}**"),
                f"{row['must']:.2f}",
                f"{row['aim']:.2f}",
                _number(1e3 * row["ours"], "{:.4g}"),
                row["best"] or "",
                _number(1e3 * row["peer"], "{:.4g}"),
                _number(row["cpu_ratio"], "{:.2f}"),
                _number(row["reads"], "{:.1f}"),
                _number(row["left"], "{:.0e}"),
                _number(row.get("load", np.nan), "{:.1f}"),
                ", ".join(row["missed"]),
            ]
            for row in results["speed"]
        ],
    )  # fmt: skip
    for section, title in (
        ("memory", "Memory"),
        ("digits", "Digits"),
        ("defaults", "Everyone's defaults"),
    ):
        rows = results[section]
        if rows:
            names = [name for name in rows[0] if name != "machine"]
            cells = [[_text(row.get(name, "")) for name in names] for row in rows]
            yield from _table(title, names, cells)


def _table(title, names, rows):
    yield from ("", title, "-" * len(title), "", ".. list-table::", "   :header-rows: 1", "")
    for cells in [names, *rows]:
        for i, cell in enumerate(cells):
            yield f"   {'*' if i == 0 else ' '} - {cell}".rstrip()


def _number(value, form) -> str:
    return form.format(value) if value is not None and np.isfinite(value) else ""


def _text(value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
