"""Break the service in every way that is known, and write what held: ``python -m tests.reliability``."""

import argparse
import sys
import time
from collections.abc import Callable

from tests.reliability import (
    clocks,
    engine_faults,
    failovers,
    histories,
    kills,
    moves,
    refilling,
    report,
    soak,
)
from tests.reliability.report import Chapter

CAMPAIGNS: dict[str, Callable[[int], list[Chapter]]] = {
    "kills": lambda rounds: [kills.chapter(rounds)],
    "engine": lambda rounds: [engine_faults.chapter(min(30.0, 3.0 * rounds))],
    "failovers": lambda rounds: [
        failovers.chapter(engines, 2 * rounds) for engines in (failovers.Watched, failovers.Clustered)
    ],
    "clocks": lambda rounds: [clocks.steps(min(10.0, 2.0 * rounds)), clocks.apart((rounds + 1) // 2)],
    "moves": lambda rounds: [
        moves.resharding((rounds + 1) // 2),
        *(
            moves.partition(engines, min(10.0, 2.0 * rounds))
            for engines in (failovers.Watched, failovers.Clustered)
        ),
    ],
    "rebuild": lambda _: [refilling.chapter()],
    "histories": lambda rounds: [histories.chapter(15 * rounds)],
    "load": lambda rounds: [soak.chapter(min(10.0, rounds), replays=min(100_000, 10_000 * rounds))],
}
"""What is broken, by name: functions of the rounds, which are how often something is tried."""


def main() -> int:
    """Run the campaigns, print the table; the exit code is 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__)
    parser.add_argument("campaigns", nargs="*", metavar="CAMPAIGN", help=", ".join(CAMPAIGNS))
    parser.add_argument("--rounds", type=int, default=10, help="kills at each point")
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    options = parser.parse_args()
    if unknown := set(options.campaigns) - set(CAMPAIGNS):
        parser.error(f"no such campaign: {', '.join(sorted(unknown))}")
    chapters = []
    for name in options.campaigns or CAMPAIGNS:
        began = time.monotonic()
        chapters += CAMPAIGNS[name](options.rounds)
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    page = report.text(chapters)
    print(page)
    if options.write:
        report.write(page)
    return int(not all(chapter.is_kept for chapter in chapters))


if __name__ == "__main__":
    sys.exit(main())
