"""The web server: granian, several processes of four threads each (see ``processor.web.rsgi``)."""

import contextlib
import logging
import os
import resource
import signal
import socket
import threading
import time

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from processor.runtime.supervisor import end_with_writer
from processor.settings.definitions import Settings

log = logging.getLogger(__name__)

TARGET = "processor.web:create_gateway_from_environment"
BACKLOG = 2048
MOST_CONNECTIONS = 16_384
"""Connections that one process has at a time; beyond them callers wait. An idle one takes up some 10 KB."""

OWN_FILES = 256
"""Files and connections that a process needs besides its callers' connections."""

KEEP_ALIVE_S = 95
"""Longer than the 90 s for which Heroku's router keeps a connection, so that it never uses one that we
just closed. https://devcenter.heroku.com/articles/http-routing#keepalives"""
STOP_AFTER_S = 7
"""How long requests that were begun may take to be finished, in seconds; everything ends within ten."""

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
TO_OUR_LOG = {"formatters": {}, "handlers": {}, "loggers": {"_granian": {"propagate": True}}}
"""Granian writes through our log lines instead of its own."""


def serve(settings: Settings, target: str = TARGET) -> None:
    """Serve until SIGTERM or SIGINT, finishing the requests that were begun.

    ``target`` is ``module:function``, a function that makes the RSGI application in each process.
    """
    server = Granian(
        target,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.RSGI,
        workers=settings.web_concurrency,
        backlog=BACKLOG,
        backpressure=connections_for(_raise_file_limit()),
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=KEEP_ALIVE_S * 1000),
        websockets=False,
        log_level=LogLevels.warning,
        log_dictconfig=TO_OUR_LOG,
        respawn_failed_workers=True,
        respawn_interval=0.5,
        workers_kill_timeout=STOP_AFTER_S,
        factory=True,
    )
    _let_new_processes_end()
    _end_processes_with_us()
    announcer = threading.Thread(target=_announce, args=(settings,), name="announcer", daemon=True)
    server.on_startup(announcer.start)
    server.serve()


def connections_for(files: int) -> int:
    """How many connections a process takes that may open so many ``files``."""
    return max(1, min(MOST_CONNECTIONS, files - OWN_FILES))


def _raise_file_limit() -> int:
    """Let processes open as many files as the system allows them; how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = max(soft, MOST_CONNECTIONS + OWN_FILES)
    with contextlib.suppress(OSError, ValueError):  # macOS allows less than it says
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        return hard
    return soft


def _let_new_processes_end() -> None:
    """Let a process that granian forks end by a signal from its first moment on.

    It inherits handlers that take note of the signal in a copy of what the parent looks at; its own it
    sets only when it has loaded the application, a second later. A signal in between was lost, and
    the process killed at the end of its time. Those that come during the fork itself wait for it.
    """

    def hold() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)

    def let_come() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def begin() -> None:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        let_come()

    os.register_at_fork(before=hold, after_in_parent=let_come, after_in_child=begin)


def _end_processes_with_us() -> None:
    """Have the processes that granian forks end when this one is killed: they held our port for ever."""
    reading, writing = os.pipe()

    def watch() -> None:
        os.close(writing)
        end_with_writer(reading, "The server's first process is gone: ending", STOP_AFTER_S)

    os.register_at_fork(after_in_child=watch)


def _announce(settings: Settings) -> None:
    """Say where we are as soon as that is true: granian's own hook comes before its processes listen.

    Nothing here may import anything: a process that is forked meanwhile would wait for ever for the lock
    of the half imported module (``socket.create_connection`` imports a codec when it is first called).
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    while True:
        with contextlib.suppress(OSError), socket.socket(family) as line:
            line.settimeout(1)
            line.connect((settings.host, settings.port))
            break
        time.sleep(0.02)
    log.info("Listening", extra={"address": settings.own_url})
