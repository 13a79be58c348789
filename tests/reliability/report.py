"""The table of promises, as text and as ``docs/reliability.md``."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.reliability.outside import Faults
from tests.support.percentile import percentile
from tests.support.service import ROOT

PAGE = ROOT / "docs" / "reliability.md"

_HEAD = """# Reliability

Written by `make faults` on {day}. It starts the whole service, sends true histories of connections as Codat
does, breaks something again and again, and then compares what `/v1`, the stream and a subscriber say with
what was sent. A message that got no 2xx was sent again, as Codat does. Seconds are those of a machine with
{cores} CPUs. Which test notices each protection that is taken away is on the page of [mutants](mutants.md).

"""


@dataclass(frozen=True, slots=True)
class Bound:
    """A time that must stay below a limit: ``what``, and the seconds that were measured."""

    what: str
    measured_s: float
    limit_s: float

    @property
    def is_kept(self) -> bool:
        """Whether it did."""
        return self.measured_s < self.limit_s


@dataclass(frozen=True, slots=True)
class Chapter:
    """One way of breaking the service, and what became of the promises.

    ``body`` is Markdown below the title.
    """

    title: str
    faults: Faults
    body: Sequence[str]
    bounds: Sequence[Bound] = ()

    @property
    def is_kept(self) -> bool:
        """Whether no promise was broken."""
        return not self.faults.total() and all(bound.is_kept for bound in self.bounds)


def times(first: str, rows: Sequence[tuple[str, Sequence[float]]]) -> list[str]:
    """A table of percentiles of seconds."""
    return [
        f"| {first} | times | p50 (s) | p99 (s) | most (s) |",
        "|---|---:|---:|---:|---:|",
        *(
            f"| {name} | {len(seconds)} | {percentile(seconds, 0.5):.2f} | {percentile(seconds, 0.99):.2f} | "
            f"{max(seconds):.2f} |"
            for name, seconds in rows
        ),
    ]


def text(chapters: Sequence[Chapter]) -> str:
    """The page."""
    names = dict.fromkeys(name for chapter in chapters for name in chapter.faults)
    lines = [
        "## Promises",
        "",
        f"| what must not be | {' | '.join(chapter.title for chapter in chapters)} |",
        f"|---|{'---:|' * len(chapters)}",
        *(
            f"| {name} | "
            + " | ".join(str(chapter.faults[name]) if name in chapter.faults else "" for chapter in chapters)
            + " |"
            for name in names
        ),
        "",
        "| what must not take longer | measured (s) | limit (s) | |",
        "|---|---:|---:|---|",
        *(
            f"| {bound.what} | {bound.measured_s:.2f} | {bound.limit_s:g} | "
            f"{'kept' if bound.is_kept else 'broken'} |"
            for chapter in chapters
            for bound in chapter.bounds
        ),
        "",
    ]
    for chapter in chapters:
        lines += [f"## {chapter.title}", "", *chapter.body, ""]
    return _HEAD.format(day=datetime.now(UTC).date(), cores=os.cpu_count()) + "\n".join(lines)


def write(page: str) -> None:
    """Write ``docs/reliability.md``."""
    PAGE.write_text(page, encoding="utf-8")
