"""``python -m processor.simulator``: a simulated Codat as a process, until SIGTERM or SIGINT."""

import argparse
import contextlib
import signal
import sys
from collections.abc import Sequence
from dataclasses import MISSING, fields
from queue import Empty, SimpleQueue

from processor.simulator.config import Generation, SimulatorConfig
from processor.simulator.server import SimulatorServer


def config_of(arguments: Sequence[str]) -> SimulatorConfig:
    """The configuration that command line arguments stand for; wrong ones end the process with a message."""
    parser = argparse.ArgumentParser(prog="python -m processor.simulator", description=__doc__)
    for field in fields(SimulatorConfig):
        if help := field.metadata.get("help"):
            option = "--" + field.name.replace("_", "-")
            kind = type(field.default) if field.default not in (MISSING, None) else str
            parser.add_argument(option, type=kind, default=argparse.SUPPRESS, help=help)
    parser.add_argument(
        "--generations",
        type=_generations,
        default=argparse.SUPPRESS,
        help="current,legacy,migrated or some of them",
    )
    parser.add_argument(
        "--auto-sync",
        action=argparse.BooleanOptionalAction,
        default=argparse.SUPPRESS,
        help="read a linked connection by itself",
    )
    return SimulatorConfig(**vars(parser.parse_args(arguments)))


def _generations(text: str) -> frozenset[Generation]:
    return frozenset(Generation(name.strip()) for name in text.split(",") if name.strip())


def main(arguments: Sequence[str]) -> int:
    asked_to_stop = SimpleQueue[None]()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked_to_stop.put(None))
    with SimulatorServer(config_of(arguments)) as server:
        print(f"Simulator listening on {server.url}", flush=True)
        while True:  # a signal that another thread was given wakes nobody
            with contextlib.suppress(Empty):
                asked_to_stop.get(timeout=1)
                return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
