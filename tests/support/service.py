"""The whole service as real processes: started, killed, started again on the same data."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from redis import Redis, RedisError

from handlers.registry import Policy
from processor.store import heartbeats, keys
from processor.store.client import connect
from tests.support import cells, messages, preloaded
from tests.support.ports import own_port
from tests.support.serving import ADDRESS, ENVIRON
from tests.support.workbench import Workbench

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 120.0
"""How long anything may take before a test gives up; what is fast enough is said by the tests themselves."""

POLL_S, LONGEST_POLL_S = 0.05, 0.5
"""How often a condition is looked at, ever more seldom, as looking takes time from what works."""

PROC = Path("/proc")

DRAINING = 2
"""Worker processes that drain."""


def until(what: Callable[[], object], *, limit_s: float = LIMIT_S, poll_s: float | None = None) -> float:
    """Wait until ``what`` is true; how long that took. Raises ``AssertionError`` at the limit.

    A pause is a tenth of what was waited so far, unless ``poll_s`` says how long each is.
    """
    began = time.monotonic()
    while not what():
        waited_s = time.monotonic() - began
        assert waited_s < limit_s, f"not within {limit_s} s: {what}"
        time.sleep(poll_s or min(max(POLL_S, waited_s / 10), LONGEST_POLL_S))
    return time.monotonic() - began


def is_alive(pid: int) -> bool:
    """Whether there is such a process, other than one whose end was merely not taken note of yet."""
    return any(pid == child for child, _ in processes())


def descendants(pid: int) -> list[int]:
    """The living processes that ``pid`` started, and those started by them."""
    parents = processes()
    found, new = [], {pid}
    while new:
        new = {child for child, parent in parents if parent in new}
        found += sorted(new)
    return found


def processes() -> list[tuple[int, int]]:
    """Every living process of this machine with its parent; zombies are none."""
    rows = _from_proc() if PROC.is_dir() else _from_ps()
    return [(int(child), int(parent)) for child, stat, parent in rows if not stat.startswith("Z")]


def _from_proc() -> Iterator[tuple[str, str, str]]:
    for path in PROC.glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has just ended
            stat, parent, *_ = path.read_text(errors="replace").rpartition(")")[2].split()
            yield path.parent.name, stat, parent


def _from_ps() -> Iterator[tuple[str, str, str]]:
    command = [shutil.which("ps") or "ps", "-A", "-o", "pid=,stat=,ppid="]
    listing = subprocess.run(command, capture_output=True, text=True, check=True)
    for line in listing.stdout.splitlines():
        child, stat, parent = line.split()
        yield child, stat, parent


class Service:
    """``codat-processor run`` in ``folder``, on a port of its own and the embedded engine."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder = folder
        self.port = int(environ.get("PORT") or own_port())
        self._environ = environ
        self._process: preloaded.Process | None = None
        self._doomed: list[int] = []

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process that was started by us; all others are its descendants."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What it wrote so far."""
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> "Service":
        """Start it and wait until it is ready and everybody was seen."""
        kept = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV", "SYSTEMROOT")
        env = {name: os.environ[name] for name in kept if name in os.environ}
        env |= {
            "PYTHONPATH": str(ROOT),
            "DATA_DIR": str(self.folder),
            "PORT": str(self.port),
            "WORKERS": str(DRAINING),
            **ENVIRON,
            **self._environ,
        }
        with (self.folder / "log").open("ab") as log:
            is_anew = "PYTHONPATH" in self._environ and "FAULT_POINTS" not in self._environ
            how = preloaded.start_anew if is_anew else preloaded.start
            self._process = how(["processor", "run"], env=env, cwd=self.folder, output=log)
        try:
            until(self.is_ready)
            until(lambda: len(self.working()) == int(env["WORKERS"]))
        except BaseException:
            self.stop()
            raise
        return self

    def is_ready(self) -> bool:
        """Whether it says so, without warnings but those about processes that were killed before."""
        assert self._process is not None
        assert self._process.poll() is None, self.log
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)  # httpx would load certificates
        with contextlib.closing(line), contextlib.suppress(OSError, http.client.HTTPException):
            line.request("GET", "/readyz")
            answer = json.loads(line.getresponse().read())
            warnings = [text for text in answer.get("warnings", ()) if "made no progress" not in text]
            return answer["status"] == "ok" and not warnings
        return False

    def everybody(self) -> list[int]:
        """All of its processes."""
        return [self.pid, *descendants(self.pid)]

    def working(self, queue: str = "drain") -> list[int]:
        """The worker processes of a queue that live, as they call themselves."""
        names = [name.decode() for name in self.redis().zrange(keys.alive(heartbeats.ROLES[0]), 0, -1)]
        pids = [int(name.rpartition("-")[2]) for name in names if name.startswith(f"{queue}-")]
        mine = set(self.everybody())
        return [pid for pid in pids if pid in mine]

    def pids_of(self, command: str) -> list[int]:
        """Its processes whose name begins with the last word of ``command``, or whose arguments end with it.

        A forked process has a name, and the arguments of its parent.
        """
        pids = ",".join(map(str, self.everybody()))
        lines = subprocess.run(
            [shutil.which("ps") or "ps", "-ww", "-o", "pid=,comm=,args=", "-p", pids],
            capture_output=True,
            text=True,
            check=False,  # one of them may have ended
        ).stdout.splitlines()
        rows = [line.split(maxsplit=2) for line in lines]
        word = command.rpartition(" ")[2]
        return [int(pid) for pid, name, args in rows if name.startswith(word) or args.endswith(command)]

    def parent_of(self, pid: int) -> int:
        """The process that started ``pid``."""
        return dict(processes())[pid]

    def engine(self) -> int:
        """The process of the embedded engine."""
        return int((self.folder / "engine" / "engine.pid").read_text())

    def redis(self) -> "Redis[Any]":
        """A client of its engine."""
        url = self._environ.get("REDIS_URL") or (self.folder / "engine" / "address").read_text()
        return connect(url, timeout_s=LIMIT_S)

    def bench(self) -> Workbench:
        """What is in its store."""
        return Workbench(self.redis(), policy=Policy())

    def kill(self, *pids: int, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to some of its processes, those that still live; SIGKILL is how a crash ends them."""
        mine = set(self.everybody())
        for pid in pids:
            if pid in mine:
                with contextlib.suppress(ProcessLookupError):  # it ended with the one before
                    os.kill(pid, number)

    def kill_everything(self) -> None:
        """A power cut: all processes are stopped in their tracks first, so that none sees another die."""
        everybody = self.everybody()
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in everybody:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        assert self._process is not None
        self._process.wait(LIMIT_S)
        until(lambda: not any(map(is_alive, everybody)))

    def terminate(self) -> tuple[float, int, list[int]]:
        """SIGTERM: how long it took to end, its exit code, and the processes that are left of it."""
        assert self._process is not None
        everybody = self.everybody()
        began = time.monotonic()
        self._process.terminate()
        code = self._process.wait(LIMIT_S)
        return time.monotonic() - began, code, [pid for pid in everybody if is_alive(pid)]

    def stop(self) -> None:
        """End whatever is left of it."""
        if self._process is not None and self._process.poll() is None:
            everybody = self.everybody()
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                everybody += self.everybody()  # an engine may have been started again meanwhile
                self._process.kill()
                self._process.wait()
            for pid in everybody:
                if is_alive(pid):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)

    def __enter__(self) -> "Service":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class Sender:
    """Sends many messages at once and remembers what was answered to each.

    After a 503 it sends again, as Codat does, unless it is told to ``give_up``.
    """

    def __init__(self, service: Service, *, threads: int = 8, give_up: bool = False) -> None:
        self._give_up = give_up
        self.answers: dict[str, int] = {}
        """The last answer by event id; 0 where the connection broke."""

        self._service = service
        self._threads = threads
        self._lock = threading.Lock()
        self._good = 0

    @property
    def accepted(self) -> list[str]:
        """The ids of the messages that got a 2xx."""
        return sorted(event_id for event_id, code in self.answers.items() if 200 <= code < 300)

    @property
    def codes(self) -> Counter[int]:
        """How often each answer was given."""
        return Counter(self.answers.values())

    def send(
        self, bodies: Mapping[str, bytes], *, on_answer: Callable[[int], object] = lambda _: None
    ) -> None:
        """Send all messages (event id to body), each once; ``on_answer`` hears how many got a 2xx so far."""
        left: Iterator[tuple[str, bytes]] = iter(list(bodies.items()))

        def work(_: int) -> None:
            line = http.client.HTTPConnection("127.0.0.1", self._service.port, timeout=LIMIT_S)
            for event_id, body in left:
                while (code := self._post(line, event_id, body)) == 503 and not self._give_up:
                    time.sleep(POLL_S)
                with self._lock:
                    self.answers[event_id] = code
                    self._good += 200 <= code < 300
                    good = self._good
                on_answer(good)
            line.close()

        with ThreadPoolExecutor(self._threads) as pool:
            list(pool.map(work, range(self._threads)))

    def _post(self, line: http.client.HTTPConnection, event_id: str, body: bytes) -> int:
        try:
            line.request("POST", ADDRESS, body, messages.signed(body, event_id))
            answer = line.getresponse()
            answer.read()
            return answer.status
        except (OSError, http.client.HTTPException):
            line.close()
            return 0


def messages_of(
    count: int, *, companies: int = 10, connections: int = 40, prefix: str = "msg"
) -> dict[str, bytes]:
    """Messages by event id: ``count`` changes of so many connections, from the first on in turn."""
    kinds: Sequence[Callable[..., bytes]] = (messages.connected, messages.initial_read, messages.read)
    made = {}
    for number in range(count):
        connection, turn = number % connections, number // connections
        kind = kinds[min(turn, 2)]
        at = datetime.now(UTC)
        made[f"{prefix}_{number:05}"] = kind(
            f"company-{connection % companies}", f"connection-{connection}", at=at
        )
    return made


def start_s() -> float:
    """How long a process takes to start and import the workers on this machine as busy as it is now."""
    began = time.monotonic()
    command = [sys.executable, "-c", "import workers.__main__"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
    return time.monotonic() - began


def is_done(service: Service, event_ids: Sequence[str]) -> bool:
    """Whether all of these messages were handled."""
    try:
        with service.redis() as client:
            return not cells.pending(client) and cells.statuses(client, event_ids) <= {"processed"}
    except RedisError:
        return False


def applied(bench: Workbench, *, connections: int = 40) -> Counter[str]:
    """How often each message is on the timelines."""
    lines = (line for number in range(connections) for line in bench.timeline(f"connection-{number}"))
    return Counter(line["event_id"] for line in lines)
