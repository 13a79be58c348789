"""The table of promises, as text and as ``docs/reliability.md``."""

from collections.abc import Sequence
from datetime import UTC, datetime

from tests.reliability.engine_faults import Outage
from tests.reliability.kills import KillReport
from tests.reliability.outside import Faults
from tests.support.service import ROOT

PAGE = ROOT / "docs" / "reliability.md"

_HEAD = """# Reliability

Written by `make faults` on {day}. It starts the whole service on the embedded engine, sends true histories of
connections as Codat does, breaks something again and again, and then compares what `/v1`, the stream and a
subscriber say with what was sent. A message that got no 2xx was sent again, as Codat does.

"""


def text(kills: KillReport, outages: Sequence[Outage], outage_faults: Faults) -> str:
    """The page. Seconds are those of a machine with two cores."""
    kinds = sum(len(row.seconds) for row in kills.recoveries)
    lines = [
        "## Promises",
        "",
        f"{kinds} kills while {kills.accepted:,} messages were accepted ({kills.repeated:,} of them sent "
        f"again after a refusal or a broken connection), and {len(outages)} faults of the engine.",
        "",
        "| what must not be | after the kills | after the faults of the engine |",
        "|---|---:|---:|",
        *(f"| {name} | {kills.faults[name]} | {outage_faults[name]} |" for name in kills.faults),
        "",
        "## Kills",
        "",
        "Seconds from the death to the moment at which a message that was sent right after it is handled.",
        "",
        "| killed | kills | p50 | p99 | most |",
        "|---|---:|---:|---:|---:|",
        *(
            f"| {row.name} | {len(row.seconds)} | {row.percentile(0.5):.2f} | {row.percentile(0.99):.2f} | "
            f"{max(row.seconds):.2f} |"
            for row in kills.recoveries
        ),
        "",
        "## Faults of the engine",
        "",
        "| fault | answers meanwhile | slowest answer (s) | recovery (s) |",
        "|---|---|---:|---:|",
        *(
            f"| {row.name} | {', '.join(str(status or 'none') for status in row.statuses)} | "
            f"{row.slowest_s:.2f} | {row.recovery_s:.2f} |"
            for row in outages
        ),
        "",
    ]
    return _HEAD.format(day=datetime.now(UTC).date()) + "\n".join(lines)


def write(page: str) -> None:
    """Write ``docs/reliability.md``."""
    PAGE.write_text(page, encoding="utf-8")
