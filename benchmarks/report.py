"""The table of figures as text, and ``docs/performance.md`` with its plot."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import Figure

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "performance.md"
PLOT = ROOT / "docs" / "images" / "performance.svg"

_HEAD = """# Performance

Written by `make bench`. Ratios within one run and CPU per message hold on a busy machine; rates and latencies
are those of this one: {machine}. Runs: {runs}. Each value is their median, with the lowest and the highest
beside it. A target that is missed is marked.

<img src="images/performance.svg" alt="CPU per message">

| what | median | lowest-highest | target |
|---|---:|---:|---|
"""


def machine() -> str:
    """This machine, without a name of it."""
    python = platform.python_version()
    return f"{platform.system()} on {platform.machine()}, {os.cpu_count()} cores, Python {python}"


def as_text(figures: Sequence[Figure]) -> str:
    """One aligned line for each figure."""
    width = max(len(figure.name) for figure in figures)
    return "\n".join(
        f"{figure.name:<{width}}  {_median(figure):>14}  {_verdict(figure)}" for figure in figures
    )


def write(figures: Sequence[Figure], runs: int) -> None:
    """Write the page and its plot."""
    rows = (
        f"| {figure.name} | {_median(figure)} | {_number(figure.spread[0])}-{_number(figure.spread[1])} | "
        f"{_verdict(figure)} |\n"
        for figure in figures
    )
    PAGE.write_text(_HEAD.format(machine=machine(), runs=runs) + "".join(rows), encoding="utf-8")
    PLOT.write_text(bars([figure for figure in figures if "CPU" in figure.name and figure.unit == "µs"]))


def target_is_met(figure: Figure) -> bool | None:
    """Whether the median meets the target; ``None`` without one."""
    if not figure.target:
        return None
    relation, bound = figure.target.split()
    value, limit = figure.median, float(bound)
    return value >= limit if relation == "≥" else value <= limit if relation == "≤" else value < limit


def bars(figures: Sequence[Figure]) -> str:
    """A horizontal bar chart as SVG: one bar for each figure, in its unit."""
    row, left, width = 26, 360, 900
    most = max(figure.median for figure in figures)
    lines = []
    for number, figure in enumerate(figures):
        top, length = number * row + 8, (width - left - 110) * figure.median / most
        lines.append(
            f'<text x="{left - 8}" y="{top + 13}" text-anchor="end">{figure.name}</text>'
            f'<rect x="{left}" y="{top}" width="{length:.1f}" height="17" fill="#3b6ea8"/>'
            f'<text x="{left + length + 6:.1f}" y="{top + 13}">{_median(figure)}</text>'
        )
    height = len(figures) * row + 16
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="13"><rect width="{width}" height="{height}" fill="white"/>{"".join(lines)}</svg>\n'
    )


def _median(figure: Figure) -> str:
    return f"{_number(figure.median)} {figure.unit}".strip()


def _verdict(figure: Figure) -> str:
    met = target_is_met(figure)
    return "" if met is None else f"{figure.target}{'' if met else ' (missed)'}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
