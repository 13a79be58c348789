"""The web server: granian with several processes of four threads each (see ``processor.web.rsgi``)."""

import contextlib
import gc
import logging
import multiprocessing
import os
import resource
import socket
import sys
import threading
import time
from importlib import import_module

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from processor.runtime import stop_signals
from processor.runtime.parent_watch import end_with_writer
from processor.settings.definitions import Settings

log = logging.getLogger(__name__)

TARGET = "processor.web:create_gateway_from_environment"
BACKLOG = 2048
MAX_CONNECTIONS = 16_384
"""Open connections per process; further callers wait. An idle connection takes about 10 KB."""

CONNECTION_BUFFER_BYTES = 81_920
"""What the server reads ahead of a connection: more than the longest head, of some 64 KB, and far less than
the 400 KB by default, which many slow callers would fill."""

RESERVED_FILES = 256
"""Open files that a process needs besides the connections of its callers."""

KEEP_ALIVE_S = 95
"""Longer than the 90 s for which Heroku's router keeps a connection, so that it never uses a
connection that we have just closed. https://devcenter.heroku.com/articles/http-routing#keepalives"""
STOP_AFTER_S = 7
"""How long running requests may take to finish, in seconds; everything ends within ten."""

POLL_S = 0.01

FORKS = sys.platform == "linux"
"""Elsewhere a fork without exec is unsafe, and the processes of the server start anew."""

LOG_CONFIG = {"formatters": {}, "handlers": {}, "loggers": {"_granian": {"propagate": True}}}
"""Send granian's log records to our handlers."""


class _Server(Granian):  # type: ignore[misc, valid-type]  # chosen by the kind of interpreter
    """A server that takes note of the end of its processes before it judges them.

    Two threads of granian wait for each process, and one of them learns of its end. Of processes that had
    ended in time the other one said that they "refused to gracefully stop", and killed them once more.
    """

    def _stop_workers(self) -> None:
        began = time.monotonic()
        for worker in self.wrks:
            worker.terminate()
        while any(worker.is_alive() for worker in self.wrks) and time.monotonic() - began < STOP_AFTER_S - 1:
            time.sleep(POLL_S)
        self.workers_kill_timeout = 1
        super()._stop_workers()


def serve(settings: Settings, target: str = TARGET) -> None:
    """Serve until SIGTERM or SIGINT, then finish the running requests.

    ``target`` is ``module:function``; the function creates the RSGI application in each process.
    """
    _preload(target)
    server = _Server(
        target,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.RSGI,
        workers=settings.web_concurrency,
        backlog=BACKLOG,
        backpressure=connections_for(_raise_file_limit()),
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(
            header_read_timeout=KEEP_ALIVE_S * 1000, max_buffer_size=CONNECTION_BUFFER_BYTES
        ),
        websockets=False,
        log_level=LogLevels.warning,
        log_dictconfig=LOG_CONFIG,
        respawn_failed_workers=True,
        respawn_interval=0.5,
        workers_kill_timeout=STOP_AFTER_S,
        factory=True,
    )
    _reset_signals_at_fork()
    _end_forks_with_parent()
    address_logger = threading.Thread(target=_log_address, args=(settings,), name="address", daemon=True)
    server.on_startup(address_logger.start)
    server.serve()


def connections_for(files: int) -> int:
    """The number of connections for a process that may open ``files`` files."""
    return max(1, min(MAX_CONNECTIONS, files - RESERVED_FILES))


def _raise_file_limit() -> int:
    """Raise the limit of open files to the hard limit; the limit that holds then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = max(soft, MAX_CONNECTIONS + RESERVED_FILES)
    with contextlib.suppress(OSError, ValueError):  # macOS allows less than it reports
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        return hard
    return soft


def _preload(target: str) -> None:
    """Import the application before granian forks its processes, which then share it."""
    if FORKS:
        multiprocessing.set_start_method("fork", force=True)  # Python 3.14 has another default
        import_module(target.partition(":")[0])
        gc.freeze()


def _reset_signals_at_fork() -> None:
    """Let a signal end a process that granian forks from its first moment.

    It installs its own handlers a second later, when the application is loaded.
    """
    os.register_at_fork(
        before=stop_signals.block, after_in_parent=stop_signals.unblock, after_in_child=stop_signals.reset
    )


def _end_forks_with_parent() -> None:
    """End the processes that granian forks when this one is killed; otherwise they would keep the port."""
    reading, writing = os.pipe()

    def watch() -> None:
        os.close(writing)
        end_with_writer(reading, "The server's first process is gone: ending", STOP_AFTER_S)

    os.register_at_fork(after_in_child=watch)


def _log_address(settings: Settings) -> None:
    """Log the address once the server accepts connections; granian's own hook runs before it listens.

    This thread must not import anything: a process that is forked during an import would wait for ever for
    the lock of that module (``socket.create_connection`` imports a codec on its first call).
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    while True:
        with contextlib.suppress(OSError), socket.socket(family) as connection:
            connection.settimeout(1)
            connection.connect((settings.host, settings.port))
            break
        time.sleep(0.02)
    log.info("Listening", extra={"address": settings.local_url})
