"""``python -m workers worker|clock``: the background processes; a worker starts the other roles itself."""

import logging
import os
import signal
import socket
import sys
import threading
from functools import partial
from types import FrameType

from processor.container import for_worker
from processor.runtime import logs, tracing
from processor.runtime.parent_watch import orphan_check, watch_parent
from processor.runtime.sentry import report_errors
from processor.runtime.supervisor import Child, Supervisor
from processor.settings.definitions import Settings
from processor.settings.loading import load_from_environment
from processor.store.client import close_idle_always
from processor.store.connection_limits import CLOCK, SHARES
from processor.store.waker import ASK, DELIVER, DRAIN, POLL
from workers.clock import Clock
from workers.condition_watch import ConditionWatch
from workers.delivery.channels.chat import direct_send
from workers.process import work

_log = logging.getLogger(__name__)

STOP_AFTER_S = 7.0
"""Time for a process to end, in seconds; the whole service ends within ten seconds of SIGTERM."""

SERVICE = ("worker", "clock")
"""Roles that need the settings for receiving messages; commands also start the others."""

ROLES = (*SERVICE, DRAIN, ASK, DELIVER, POLL)


def main(argv: list[str]) -> int:
    """Run one role until SIGTERM or SIGINT; the exit code."""
    if len(argv) != 1 or argv[0] not in ROLES:
        sys.stderr.write(f"usage: python -m workers {'|'.join(ROLES)}\n")
        return 2
    settings = load_from_environment(inbound=argv[0] in SERVICE)
    logs.configure(settings.log_level, settings.secrets())
    report_errors(settings)
    if argv[0] == "worker":
        return Supervisor(children(settings), is_orphaned=orphan_check()).run()
    tracing.configure(argv[0])  # starts a thread: a supervisor could not fork any more
    watch_parent()
    if argv[0] == "clock":
        run_clock(settings)
        return 0
    try:
        work(for_worker(settings, connections=SHARES[argv[0]]), argv[0])
    except Exception:
        _log.exception("a worker process ends because of a bug")
        return 1
    return 0


def children(settings: Settings) -> list[Child]:
    """The processes of a worker: WORKERS that drain, and one each that asks Codat, delivers and polls."""
    names = [*(f"{DRAIN}-{number + 1}" for number in range(settings.workers)), ASK, DELIVER, POLL]
    return [
        Child(
            name=name,
            argv=(sys.executable, "-m", "workers", name.split("-")[0]),
            stop_after_s=STOP_AFTER_S,
            watched=True,
            target=partial(main, [name.split("-")[0]]),
        )
        for name in names
    ]


def run_clock(settings: Settings) -> None:
    """Run the clock until SIGTERM or SIGINT."""
    container = for_worker(settings, connections=SHARES[CLOCK])
    close_idle_always(container.redis)
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        # In a thread: the main thread may hold the lock of the event, and would wait for itself.
        threading.Thread(target=stop.set, name="stop", daemon=True).start()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    watch = ConditionWatch(container, sends=[direct_send(url) for url in settings.operator_alert_urls])
    watch.start()
    Clock(
        container.redis,
        inbox=container.inbox,
        waker=container.waker,
        retention_days=settings.event_retention_days,
        name=f"clock-{socket.gethostname()}-{os.getpid()}",
        metrics=container.metrics,
    ).run(stop)
    watch.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
