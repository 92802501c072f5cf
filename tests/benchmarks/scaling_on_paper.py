"""What the measured costs say of a fit on a cluster; writes the table of the docs page.

python -m tests.benchmarks.scaling_on_paper docs/_static
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

N_ROWS, N_FEATURES, BYTES = 1_000_000_000, 100, 4
WORKERS, PACKS = 50, 100
# Sums over all rows by kind, as counted in the fit on the memory map.
FIT = 0


def predict(folder: Path) -> list[tuple[str, str]]:
    """Rows of the table: what, and how much."""
    dask = json.loads((folder / "dask_overhead.json").read_text())
    memory = json.loads((folder / "memory_map.json").read_text())
    sums = [name for name, _ in memory["fits"][FIT]["sums_over_all_rows"]]
    evaluations = sum(name.startswith("LossSums") for name in sums)
    others = len(sums) - evaluations
    per_worker = N_ROWS * N_FEATURES * BYTES / WORKERS
    speed = dask["MB_per_second_per_worker"] * 1e6
    latency = 1e-3 * (dask["latency_ms"] + PACKS * dask["latency_ms_per_pack"])
    reading = per_worker / speed
    total = evaluations * (reading + latency) + others * latency
    return [
        (
            "Latency of an evaluation",
            f"{dask['latency_ms']:.0f} ms + {dask['latency_ms_per_pack']:.1f} ms a pack (measured)",
        ),
        (
            "Latency at 1000 chunks over that at 10",
            f"{dask['latency_1000_over_10_chunks']} (measured)",
        ),
        ("Loss and gradient, a worker of one thread", f"{speed / 1e6:.0f} MB/s (measured)"),
        ("Evaluations of loss and gradient", f"{evaluations} (counted on 20M x 100)"),
        ("Other sums, which do not read X", f"{others} (counted)"),
        ("Rows of 1e9 x 100 float32 on each of 50 workers", f"{per_worker / 1e9:.0f} GB"),
        ("Reading them once", f"{reading:.0f} s"),
        ("Latency at 100 packs", f"{latency:.1f} s"),
        ("**Training, packed rows at hand**", f"**{total:.0f} s**"),
        ("Share of it that is latency", f"{100 * latency * (evaluations + others) / total:.0f} %"),
    ]


def main() -> None:
    folder = Path(sys.argv[1])
    lines = [".. list-table::", "   :widths: 55 45", ""]
    for what, how_much in predict(folder):
        lines += [f"   * - {what}", f"     - {how_much}"]
    (folder / "scaling.inc").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
