"""The table that `make bench` prints and writes: figure, baseline, and what was promised."""

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(frozen=True)
class Row:
    what: str
    figure: str
    baseline: str = ""
    promise: str = ""
    kept: bool | None = None  # None: nothing was promised

    @property
    def verdict(self) -> str:
        return {None: "", True: "yes", False: "**no**"}[self.kept]


@dataclass
class Table:
    rows: list[Row] = field(default_factory=list)

    def add(self, *facts: str, kept: bool | None = None) -> None:
        row = Row(*facts, kept=kept)
        self.rows.append(row)
        print(
            " | ".join(filter(None, (row.what, row.figure, row.baseline, row.promise, row.verdict)))
        )

    @property
    def broken(self) -> list[Row]:
        return [row for row in self.rows if row.kept is False]

    def markdown(self) -> str:
        now = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        head = [
            f"Measured {now} with Python {platform.python_version()} on {os.cpu_count()} cores, "
            f"load {os.getloadavg()[0]:.1f} at the end.",
            "",
            "| What | Figure | Baseline in the same run | Promise | Kept |",
            "|---|---|---|---|---|",
        ]
        lines = [
            f"| {row.what} | {row.figure} | {row.baseline} | {row.promise} | {row.verdict} |"
            for row in self.rows
        ]
        return "\n".join([*head, *lines, ""])


def spread(values: Sequence[float], unit: str = "ms", digits: int = 1) -> str:
    """The median, and the least and the most."""
    middle = statistics.median(values)
    unit = unit if unit.startswith("/") else f" {unit}"
    return f"{middle:.{digits}f}{unit} ({min(values):.{digits}f} to {max(values):.{digits}f})"
