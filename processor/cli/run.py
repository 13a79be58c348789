"""``run``, ``web``, ``worker``, ``clock``: the whole service, and its three kinds of process."""

import contextlib
import dataclasses
import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import import_module
from typing import NoReturn

import click
from redis import RedisError

from processor.errors import SettingsError
from processor.runtime import logs
from processor.runtime.embedded_engine import Engine
from processor.runtime.parent_watch import orphan_check, watch_parent
from processor.runtime.ports import claim_port, free_port, port_is_taken
from processor.runtime.stop_signals import StopSignals
from processor.runtime.supervisor import Child, Supervisor
from processor.runtime.web_server import serve
from processor.settings.definitions import Settings
from processor.settings.loading import DOTENV, find_misspelled, load_from_environment
from processor.store import layout
from processor.store.client import connect

_log = logging.getLogger(__name__)

STOP_AFTER_S = 8.5
"""How long a process may take to end, in seconds: longer than it allows its own children, and short enough
for everything, with the engine, to end within ten. Heroku allows 30 s."""

LAYOUT_TIMEOUT_S = 2.0
"""How long a start waits for the number of cells of the store, in seconds."""

SHARED_MODULES = ("processor.web", "workers.__main__")
"""What ``run`` imports before it forks its processes, which all need it."""


@click.command()
def run() -> None:
    """Web, workers and clock in one command, on the embedded engine where REDIS_URL is unset."""
    settings = with_port(_load_settings())
    is_orphaned = orphan_check()
    with claim_or_fail(settings, "run") as claim, StopSignals() as signals, _store(settings) as (env, guard):
        claim_layout(settings, env.get("REDIS_URL"))
        os.register_at_fork(after_in_child=claim.close)
        signals.call(partial(_leave, signals))  # imports take seconds, and no process is to be ended yet
        for name in SHARED_MODULES:
            import_module(name)
        children = service(settings, env)
        code = Supervisor(children, is_orphaned=is_orphaned, on_launched=guard).run(signals)
    sys.exit(code)


def _leave(signals: StopSignals) -> None:
    """End this process; another signal must not interrupt the end of the engine."""
    signals.call(lambda: None)
    sys.exit()


@click.command()
def web() -> None:
    """The web processes: Codat's messages, the API, the pages."""
    settings = with_port(_load_settings())
    if settings.redis_url is None:
        _run_alone(settings, web_child(settings))
    claim_layout(settings)
    watch_parent()
    with claim_or_fail(settings, "web"):
        serve(settings)


@click.command()
def worker() -> None:
    """The worker processes: what messages lead to, and deliveries."""
    _exec_module("worker")


@click.command()
def clock() -> None:
    """The clock: wakes what sleeps too long and sends what is due."""
    _exec_module("clock")


def service(settings: Settings, env: Mapping[str, str]) -> tuple[Child, ...]:
    """The processes of the whole service; ``env`` has the address of the store."""
    return tuple(
        dataclasses.replace(child, env={**child.env, **env})
        for child in (web_child(settings), module_child("worker"), module_child("clock"))
    )


def run_child(env: Mapping[str, str]) -> Child:
    """The whole service as one child, for a process that has threads: its own processes are forks of it."""
    return Child(name="run", argv=(sys.executable, "-m", "processor", "run"), env=env)


def web_child(settings: Settings) -> Child:
    """The web processes as one child, on the chosen port."""
    return Child(
        name="web",
        argv=(sys.executable, "-m", "processor", "web"),
        env={"PORT": str(settings.port)},
        stop_after_s=STOP_AFTER_S,
        target=partial(_main_of, "processor.cli", "web"),
    )


def module_child(name: str) -> Child:
    """The child process ``worker`` or ``clock``."""
    return Child(
        name=name,
        argv=(sys.executable, "-m", "workers", name),
        stop_after_s=STOP_AFTER_S,
        target=partial(_main_of, "workers.__main__", name),
    )


def _main_of(module: str, word: str) -> int:
    code: int = import_module(module).main([word])
    return code


@contextlib.contextmanager
def store_environment(settings: Settings) -> Iterator[dict[str, str]]:
    """The environment that gives child processes the address of the store.

    Without ``REDIS_URL`` the embedded engine runs during the context; it ends last.
    """
    with _store(settings) as (env, guard):
        guard()
        yield env


@contextlib.contextmanager
def _store(settings: Settings) -> Iterator[tuple[dict[str, str], Callable[[], None]]]:
    """The same, and a function that starts the thread which keeps the embedded engine running."""
    if settings.redis_url is not None:
        yield {}, lambda: None
        return
    with Engine(settings.data_dir) as engine:
        yield {"REDIS_URL": engine.url}, engine.keep_running


def with_port(settings: Settings) -> Settings:
    """The settings with a free port. Raises :class:`SettingsError` if the port is taken."""
    try:
        if settings.port == 0:
            return dataclasses.replace(settings, port=free_port(settings.host))
        is_taken = port_is_taken(settings.host, settings.port)
    except OSError as error:
        raise SettingsError(
            [f"HOST or PORT: cannot listen on {settings.host}:{settings.port} ({error.strerror})."]
        ) from error
    if is_taken:
        raise _port_error(settings)
    return settings


def claim_layout(settings: Settings, engine_url: str | None = None) -> None:
    """Write the number of cells into a new store; ``engine_url`` is the embedded engine's address.

    Raises :class:`SettingsError` if the store has another layout. A store that does not answer is checked by
    the worker processes, when it does.
    """
    url = engine_url or settings.redis_url
    if url is None:
        return
    client = connect(url, timeout_s=LAYOUT_TIMEOUT_S, verify_tls=settings.redis_tls_verify)
    with contextlib.closing(client), contextlib.suppress(RedisError):
        layout.claim(client, settings.cells)


def claim_or_fail(settings: Settings, role: str) -> socket.socket:
    """Claim the port until the result is closed: two processes that start at once would find it free.

    Raises :class:`SettingsError` if another process of this role has claimed it.
    """
    claim = claim_port(settings.host, settings.port, role)
    if claim is None:
        raise _port_error(settings)
    return claim


def _port_error(settings: Settings) -> SettingsError:
    return SettingsError(
        [f"PORT: somebody listens on {settings.host}:{settings.port} already; choose another, or 0."]
    )


def _load_settings() -> Settings:
    settings = load_from_environment()
    logs.configure(settings.log_level, settings.secrets())
    for sentence in find_misspelled(os.environ, DOTENV):
        _log.warning(sentence)
    return settings


def _exec_module(name: str) -> NoReturn:
    settings = _load_settings()
    if settings.redis_url is None:
        _run_alone(settings, module_child(name))
    claim_layout(settings)
    argv = module_child(name).argv
    os.execv(argv[0], list(argv))  # noqa: S606 - the module replaces this process


def _run_alone(settings: Settings, child: Child) -> NoReturn:
    """Run one process with the embedded engine, which others in this folder share."""
    with StopSignals() as signals, store_environment(settings) as env:
        code = Supervisor([dataclasses.replace(child, env={**child.env, **env})]).run(signals)
    sys.exit(code)
