"""Connections to Redis per process, for plans that limit them."""

from types import MappingProxyType

from processor.settings.definitions import Settings
from processor.store.waker import ASK, DELIVER, DRAIN, POLL

WEB = "web"
CLOCK = "clock"
WORKER = "worker"

SHARES = MappingProxyType({WEB: 5, DRAIN: 3, ASK: 3, DELIVER: 6, POLL: 3, CLOCK: 2})
"""Maximum connections of one process of this kind.

Each thread of ``deliver`` has one, but that which stands in for a missing clock: it waits for one of the six.
"""

QUEUE_CONNECTIONS = 2
"""Maximum connections of one process to ``QUEUE_REDIS_URL``: a blocked read of a worker, and its commands."""


def by_process_type(settings: Settings) -> dict[str, int]:
    """Maximum connections of each line of the ``Procfile``: ``web``, ``worker`` and ``clock``."""
    return {
        WEB: settings.web_concurrency * SHARES[WEB],
        WORKER: settings.workers * SHARES[DRAIN] + SHARES[ASK] + SHARES[DELIVER] + SHARES[POLL],
        CLOCK: SHARES[CLOCK],
    }


def needed_by_queue(settings: Settings) -> int:
    """Maximum connections of the service to ``QUEUE_REDIS_URL``, where it is set."""
    processes = settings.web_concurrency + settings.workers + len((ASK, DELIVER, POLL, CLOCK))
    return processes * QUEUE_CONNECTIONS


def needed(settings: Settings) -> int:
    """Maximum connections of the service with one process of each type, without commands."""
    return sum(by_process_type(settings).values())
