"""The table of figures as text, and ``docs/performance.md`` with its plots."""

import json
import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path

from benchmarks import plots
from benchmarks.measure import Figure

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "performance.md"
IMAGES = ROOT / "docs" / "images"
BEFORE = Path(__file__).resolve().parent / "before.json"
"""Medians of version 0.1.0, before messages were accepted and delivered in batches."""

_HEAD = """# Performance

Written by `make bench`. Ratios within one run and CPU per message hold on a busy machine; rates and latencies
are those of this one: {machine}. Runs: {runs}. Each value is their median, with the lowest and the highest
beside it; "before" is version 0.1.0 on the same machine. A target that is missed is marked.

{images}
| what | before | median | lowest-highest | target |
|---|---:|---:|---:|---|
"""
_TAIL = """
## What stands in the way

- Draining: no part is large any more. Of a backlog of first authorisations, composing and sending the commit
  takes 42 % (its commands 34), learning and deciding 31 (`advance` 24), loading records 11, parsing 6 and
  reading messages 4; compressing three records a message by `zlib` is 16 of these (py-spy). A message that
  comes alone costs twice as much.
- The engine, accepting: in batches of seven, as sixteen senders make them, half of the CPU is the append-
  only file, a write and an fsync for each batch before it is answered. Larger batches meet the target
  nearly and cost rate (decision 68). In a process that only stores, on a busy machine, a message takes 85
  µs in batches of seven and 55 in batches of fourteen; of the 55 an fsync for each batch takes 24, one
  every second 4, and 27 are left without an append-only file: 19 in the script (the record, the inbox, the
  two indexes), 8 for reading and answering.
- Delivery: no part is large. The attempts take some 60 % of the CPU (request and response 20, signature 7,
  counting 5), and looks 35, half of it for the fan-out (py-spy, a busy machine). A look calls scripts in each
  cell: with some fifteen webhooks in a look these are two calls for each.
- Memory: of a connection without messages, its record takes 280 bytes, its company, the timeline and the
  notification some 180 each, and the list of its notifications 130; its place in the lists of connections,
  companies, notifications and polls some 340.
- Lag: web, drain, dispatcher, engine and load generator share the cores of this machine.

## A million connections

`make bench BENCH=--large` adds the rows of a store with 1,000,000 connections. Of one run on a busy
machine, where bytes and CPU hold: a kept message takes 550 bytes (target 700), a connection with its
first message 2,032 (2,500), one without messages 1,381 (1,500), and draining 337 µs of CPU a message. The
first answers took 39 ms for /readyz, 35 for /v1/connections and 803 for /ops, later ones 14 to 49, 13 to
25 and 36 to 66.
"""
_AT_RATE = re.compile(r"at (\d+) a second: lag to (.+)")
_MEMORY = re.compile(r"memory: (.+), of ([\d,]+)")


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
    before: dict[str, float] = json.loads(BEFORE.read_text(encoding="utf-8"))
    rows = (
        f"| {figure.name} | {_optional(before.get(figure.name))} | {_median(figure)} | "
        f"{_number(figure.spread[0])}-{_number(figure.spread[1])} | {_verdict(figure)} |\n"
        for figure in figures
    )
    images = ""
    for name, title, plot in _plots(figures, before):
        (IMAGES / f"performance-{name}.svg").write_text(plot, encoding="utf-8")
        images += f'<img src="images/performance-{name}.svg" alt="{title}">\n'
    head = _HEAD.format(machine=machine(), runs=runs, images=images)
    PAGE.write_text(head + "".join(rows) + _TAIL, encoding="utf-8")


def _plots(figures: Sequence[Figure], before: dict[str, float]) -> list[tuple[str, str, str]]:
    """Name, title and SVG of each plot for which there are figures."""
    cpu = {figure.name: figure.median for figure in figures if "CPU" in figure.name and figure.unit == "µs"}
    plotted = []
    if cpu:
        plotted.append(("cpu", "CPU per message, now and before", plots.bars(cpu, before, "µs")))
    for name, title, pattern, swapped, axes in (
        ("lag", "Lag by rate", _AT_RATE, False, ("messages a second", "ms")),
        ("memory", "Memory by connections stored", _MEMORY, True, ("connections", "bytes each")),
    ):
        series: dict[str, list[tuple[float, float]]] = {}
        for figure in figures:
            if match := pattern.fullmatch(figure.name):
                label, x = match.groups() if swapped else match.groups()[::-1]
                series.setdefault(label, []).append((float(x.replace(",", "")), figure.median))
        if series:
            plotted.append((name, title, plots.lines(series, *axes)))
    return plotted


def target_is_met(figure: Figure) -> bool | None:
    """Whether the median meets the target; ``None`` without one."""
    if not figure.target:
        return None
    relation, bound = figure.target.split()
    value, limit = figure.median, float(bound)
    return value >= limit if relation == "≥" else value <= limit if relation == "≤" else value < limit


def _median(figure: Figure) -> str:
    return f"{_number(figure.median)} {figure.unit}".strip()


def _verdict(figure: Figure) -> str:
    met = target_is_met(figure)
    return "" if met is None else f"{figure.target}{'' if met else ' (missed)'}"


def _optional(value: float | None) -> str:
    return "" if value is None else _number(value)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
