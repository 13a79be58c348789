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

_HELP = {
    "host": "address to listen on",
    "port": "port to listen on; 0: a free one",
    "public_url": "address that others use for the simulator, where it is another one",
    "product_url": "address of the product, for a link on the home page",
    "api_key": "Codat API key that callers must have",
    "webhook_url": "endpoint that gets the messages",
    "webhook_secret": "whsec_... that signs the messages",  # nosec B105 - a help text
    "alert_authorization": "Authorization value of legacy alerts",
    "client_id": "X-Codat-ClientId of legacy alerts",
    "redirect_url": "where the Link page sends the user back, with placeholders such as {connectionId}",
    "sync_s": "seconds that a first read takes",
    "retry_scale": "factor on the real retry schedules",
    "answer_timeout_s": "seconds that a receiver may take to answer",
    "senders": "messages that may be under way at once; with 1 they keep their order",
}


def config_of(arguments: Sequence[str]) -> SimulatorConfig:
    """The configuration that command line arguments stand for; wrong ones end the process with a message."""
    parser = argparse.ArgumentParser(prog="python -m processor.simulator", description=__doc__)
    for field in fields(SimulatorConfig):
        option = "--" + field.name.replace("_", "-")
        if field.name in _HELP:
            kind = type(field.default) if field.default not in (MISSING, None) else str
            parser.add_argument(option, type=kind, default=argparse.SUPPRESS, help=_HELP[field.name])
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
    """Serve until told to stop."""
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
