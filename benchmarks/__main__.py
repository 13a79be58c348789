"""Measure what a message costs on this machine: ``python -m benchmarks [--quick] [--write] [PART …]``."""

import argparse
from collections.abc import Callable

from benchmarks import accepting, delivering, draining, memory, primaries, report, together, workers
from benchmarks.measure import Figure

PARTS = ("accept", "drain", "workers", "together", "delivery", "primaries", "memory")


def main() -> None:
    """Measure, print, and with ``--write`` keep the figures in ``docs/performance.md``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="fewer messages and one run: three minutes")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    parser.add_argument("--large", action="store_true", help="also a store of a million connections: an hour")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    runs, scale = (1, 1) if options.quick else (3, 4)
    sizes = [1_000, 10_000 if options.quick else 100_000, *[1_000_000] * options.large]
    measures: dict[str, Callable[[], list[Figure]]] = {
        "accept": lambda: accepting.measure(1_500 * scale, runs),
        "drain": lambda: draining.measure(2_000 * scale, runs),
        "together": lambda: together.measure(1_000 * scale),
        "delivery": lambda: delivering.measure(4_000 * scale, runs),
        "workers": lambda: workers.measure(4_000 * scale, runs),
        "primaries": lambda: primaries.measure(2_000 * scale, runs),
        "memory": lambda: [figure for size in sizes for figure in memory.measure(size)],
    }
    figures = []
    print(report.machine())
    for part in options.parts or PARTS:
        measured = measures[part]()
        print(f"\n{report.as_text(measured)}", flush=True)
        figures += measured
    if options.write:
        report.write(figures, runs)


if __name__ == "__main__":
    main()
