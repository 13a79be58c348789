"""``run``, ``web``, ``worker``, ``clock``: the service as a whole and its three kinds of process."""

import contextlib
import dataclasses
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from typing import NoReturn

import click

from processor.errors import SettingsError
from processor.runtime import logs
from processor.runtime.embedded_engine import Engine
from processor.runtime.ports import claim_port, free_port, port_is_taken
from processor.runtime.supervisor import Child, StopSignals, Supervisor, watch_parent
from processor.runtime.web_server import serve
from processor.settings.definitions import DOTENV, Settings, load_from_environment, mistyped_in

_log = logging.getLogger(__name__)

STOP_AFTER_S = 8.5
"""How long a process may take to finish what it began, in seconds: longer than each allows its own children,
and short enough for everything, the engine too, to be gone after ten. Heroku allows 30 s."""


@click.command()
def run() -> None:
    """Web, workers and clock in one command, on the embedded engine where REDIS_URL is unset."""
    settings = with_port(_prepare())
    with claimed(settings, "run"), StopSignals() as signals, store(settings) as env:
        code = Supervisor(service(settings, env)).run(signals)
    sys.exit(code)


@click.command()
def web() -> None:
    """The web processes: Codat's messages, the API, the pages."""
    settings = with_port(_prepare())
    if settings.redis_url is None:
        _alone(settings, web_child(settings))
    watch_parent()
    with claimed(settings, "web"):
        serve(settings)


@click.command()
def worker() -> None:
    """The worker processes: what messages lead to, and deliveries."""
    _module("worker")


@click.command()
def clock() -> None:
    """The clock: wakes what sleeps too long and sends what is due."""
    _module("clock")


COMMANDS = (run, web, worker, clock)


def service(settings: Settings, env: Mapping[str, str]) -> tuple[Child, ...]:
    """The processes of the whole service; ``env`` tells them where the store is."""
    return tuple(
        dataclasses.replace(child, env={**child.env, **env})
        for child in (web_child(settings), module_child("worker"), module_child("clock"))
    )


def web_child(settings: Settings) -> Child:
    """The web processes as one child, on the port that was chosen."""
    return Child(
        name="web",
        argv=(sys.executable, "-m", "processor", "web"),
        env={"PORT": str(settings.port)},
        stop_after_s=STOP_AFTER_S,
    )


def module_child(name: str) -> Child:
    """``worker`` or ``clock`` as a child."""
    return Child(name=name, argv=_module_argv(name), stop_after_s=STOP_AFTER_S)


@contextlib.contextmanager
def store(settings: Settings) -> Iterator[dict[str, str]]:
    """The environment that tells child processes where the store is.

    Without ``REDIS_URL`` the embedded engine runs as long as the context; it is left last.
    """
    if settings.redis_url is not None:
        yield {}
        return
    with Engine(settings.data_dir) as engine:
        engine.keep_running()
        yield {"REDIS_URL": engine.url}


def with_port(settings: Settings) -> Settings:
    """The settings with a port that can be listened on. Raises :class:`SettingsError` if it is taken."""
    try:
        if settings.port == 0:
            return dataclasses.replace(settings, port=free_port(settings.host))
        taken = port_is_taken(settings.host, settings.port)
    except OSError as error:
        raise SettingsError(
            [f"HOST or PORT: cannot listen on {settings.host}:{settings.port} ({error.strerror})."]
        ) from error
    if taken:
        raise _taken(settings)
    return settings


@contextlib.contextmanager
def claimed(settings: Settings, role: str) -> Iterator[None]:
    """The port is ours meanwhile: of two that start at one moment both would find it free, and share it.

    Raises :class:`SettingsError` if another process of this role has it.
    """
    claim = claim_port(settings.host, settings.port, role)
    if claim is None:
        raise _taken(settings)
    with claim:
        yield


def _taken(settings: Settings) -> SettingsError:
    return SettingsError(
        [f"PORT: somebody listens on {settings.host}:{settings.port} already; choose another, or 0."]
    )


def _prepare() -> Settings:
    settings = load_from_environment()
    logs.configure(settings.log_level, settings.secrets())
    for sentence in mistyped_in(os.environ, DOTENV):
        _log.warning(sentence)
    return settings


def _module(name: str) -> NoReturn:
    settings = _prepare()
    if settings.redis_url is None:
        _alone(settings, module_child(name))
    argv = _module_argv(name)
    os.execv(argv[0], argv)  # noqa: S606 - the module takes this process over


def _alone(settings: Settings, child: Child) -> NoReturn:
    """One kind of process with the embedded engine behind it, shared with others on this folder."""
    with StopSignals() as signals, store(settings) as env:
        code = Supervisor([dataclasses.replace(child, env={**child.env, **env})]).run(signals)
    sys.exit(code)


def _module_argv(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "workers", name)
