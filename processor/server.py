"""The web server: granian, several processes of four threads each (see ``processor.web.gateway``)."""

import contextlib
import socket
import threading
import time

import click
from granian import Granian
from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from processor.settings import Settings

TARGET = "processor.web:create_gateway_from_environment"
BACKLOG = 1024
KEEP_ALIVE_S = 95
"""Longer than the 90 s for which Heroku's router keeps a connection, so that it never uses one that we
just closed. https://devcenter.heroku.com/articles/http-routing#keepalives"""
STOP_AFTER_S = 15
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
        http1_settings=HTTP1Settings(header_read_timeout=KEEP_ALIVE_S * 1000),
        websockets=False,
        log_level=LogLevels.warning,
        log_dictconfig=TO_OUR_LOG,
        respawn_failed_workers=True,
        respawn_interval=0.5,
        workers_kill_timeout=STOP_AFTER_S,
        factory=True,
    )
    announcer = threading.Thread(target=_announce, args=(settings,), name="announcer", daemon=True)
    server.on_startup(announcer.start)
    server.serve()


def address(settings: Settings) -> str:
    """Where the service is reached from this machine or by its address."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


def _announce(settings: Settings) -> None:
    """Say where we are as soon as that is true: granian's own hook comes before its processes listen."""
    while True:
        with (
            contextlib.suppress(OSError),
            socket.create_connection((settings.host, settings.port), timeout=1),
        ):
            break
        time.sleep(0.02)
    click.echo(f"Listening on {address(settings)}")
