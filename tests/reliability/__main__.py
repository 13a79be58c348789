"""Break the service in every way that is known, and write what held: ``python -m tests.reliability``."""

import argparse
import sys

from tests.reliability import engine_faults, kills, report


def main() -> int:
    """Run the campaigns, print the table; the exit code is 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__)
    parser.add_argument("--rounds", type=int, default=11, help="kills at each point")
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    options = parser.parse_args()
    killed = kills.run(options.rounds, everything=(options.rounds + 1) // 2)
    outages, faults = engine_faults.run(min(30.0, 3.0 * options.rounds))
    page = report.text(killed, outages, faults)
    print(page)
    if options.write:
        report.write(page)
    return int(bool(killed.faults.total() or faults.total()))


if __name__ == "__main__":
    sys.exit(main())
