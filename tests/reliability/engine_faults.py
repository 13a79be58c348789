"""The engine stands still, is full, refuses writes, loses the end of its file: under load, then judged."""

import resource
import signal
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from tests.reliability.outside import RATE, Client, Faults, Traffic, judge, traffic
from tests.reliability.report import Bound, Chapter
from tests.support import messages
from tests.support.engines import EngineProcess, engine
from tests.support.service import LIMIT_S, Service, until
from tests.support.serving import ADDRESS

PAUSE_S = 0.02
"""Between two posts during a fault."""

SLOWEST_S = 2.0
"""Limit of an answer: it comes within a second while Redis hangs, and the machine is busy."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A fault of the engine: the answers meanwhile, and the seconds until a message was handled again."""

    name: str
    statuses: tuple[int, ...]
    slowest_s: float
    recovery_s: float


@contextmanager
def _still(service: Service) -> Iterator[None]:
    pid = service.engine()
    service.kill(pid, number=signal.SIGSTOP)
    try:
        yield
    finally:
        service.kill(pid, number=signal.SIGCONT)


@contextmanager
def _full(service: Service) -> Iterator[None]:
    with service.redis() as client:
        client.config_set("maxmemory", "1mb")
        try:
            yield
        finally:
            client.config_set("maxmemory", "0")


@contextmanager
def _read_only(service: Service) -> Iterator[None]:
    with service.redis() as client:
        client.config_set("min-replicas-to-write", "1")
        try:
            yield
        finally:
            client.config_set("min-replicas-to-write", "0")


@contextmanager
def _truncated(service: Service) -> Iterator[None]:
    """A power cut in the middle of a write: the file ends with half of a command that nobody was told of."""
    service.kill_everything()
    file = max(Path(service.folder).glob("engine/**/*.incr.aof"), key=lambda path: path.stat().st_size)
    with file.open("ab") as written:
        written.write(b"*3\r\n$3\r\nSET\r\n$4\r\nha")
    yield
    service.start()


@contextmanager
def _loading(server: EngineProcess, lasting_s: float) -> Iterator[None]:
    """It is started again with a file that takes about so long to read."""
    server.kill()
    commands = sum(path.read_bytes().count(b"\r\n*") for path in server.folder.glob("**/*.incr.aof"))
    server.start("--key-load-delay", str(int(lasting_s * 1e6 / max(1, commands))), is_awaited=False)
    yield


@contextmanager
def _disk_full(server: EngineProcess, lasting_s: float) -> Iterator[None]:  # noqa: ARG001
    """Its file may not grow."""
    size = max(path.stat().st_size for path in server.folder.glob("**/*.incr.aof"))
    limits = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, limits)


FAULTS: dict[str, Callable[[Service], AbstractContextManager[None]]] = {
    "the engine stands still": _still,
    "its memory is full": _full,
    "it takes no writes": _read_only,
    "its file ends in the middle of a command": _truncated,
}

SERVER_FAULTS: dict[str, Callable[[EngineProcess, float], AbstractContextManager[None]]] = {
    "it is loading": _loading,
    "its disk is full": _disk_full,
}


def run(
    lasting_s: float, *, rate: float = RATE, names: Collection[str] = FAULTS.keys()
) -> tuple[list[Outage], Faults]:
    """Each fault of these names, one after the other, on the embedded engine under load.

    It stands still for so many seconds; the other faults take a third of it.
    """
    with traffic(rate) as (service, sent, subscriber):
        outages = []
        for name in names:
            fault = FAULTS[name]
            seconds = lasting_s if fault is _still else lasting_s / 3
            outages.append(_outage(service, sent, name, fault(service), seconds))
        sent.stop()
        return outages, judge(service, sent, subscriber)


def run_on_server(lasting_s: float, *, rate: float = RATE) -> tuple[list[Outage], Faults]:
    """The same on a server that writes its file once a second: how long it loads it, and a full disk."""
    with (
        tempfile.TemporaryDirectory(prefix="codat-") as folder,
        engine(Path(folder), "--appendonly", "yes") as server,
        traffic(rate, REDIS_URL=server.url) as (service, sent, subscriber),
    ):
        outages = [
            _outage(service, sent, name, fault(server, lasting_s), lasting_s)
            for name, fault in SERVER_FAULTS.items()
        ]
        sent.stop()
        return outages, judge(service, sent, subscriber)


def _outage(
    service: Service, sent: Traffic, name: str, fault: AbstractContextManager[None], lasting_s: float
) -> Outage:
    """Post once and again during a fault, then until a message is handled."""
    sent.go_on()
    client, statuses, slowest_s = Client(service), set(), 0.0
    with fault:
        ends_at = time.monotonic() + lasting_s
        while time.monotonic() < ends_at:
            began = time.monotonic()
            event_id = f"during-{name.replace(' ', '-')}-{began}"
            status = _post_once(service, event_id)
            statuses.add(status)
            if status in {200, 202}:
                sent.others.append(event_id)
            slowest_s = max(slowest_s, time.monotonic() - began)
            time.sleep(PAUSE_S)
    began = time.monotonic()
    event_id = f"after-{name.replace(' ', '-')}"
    client.post(event_id, messages.connected("company-after", event_id, at=datetime.now(UTC)))
    until(lambda: client.is_handled(event_id), poll_s=0.05)
    sent.others.append(event_id)
    client.close()
    return Outage(name, tuple(sorted(statuses)), slowest_s, time.monotonic() - began)


def _post_once(service: Service, event_id: str) -> int:
    """The status of one post; 0 where nobody listens."""
    body = messages.connected("company-during", event_id, at=datetime.now(UTC))
    try:
        headers = messages.signed(body, event_id)
        return httpx.post(
            service.url + ADDRESS, content=body, headers=headers, trust_env=False, timeout=LIMIT_S
        ).status_code
    except httpx.HTTPError:
        return 0


def chapter(lasting_s: float) -> Chapter:
    """The campaign, for the page."""
    outages, faults = run(lasting_s)
    more, faults_of_server = run_on_server(lasting_s / 3)
    outages += more
    faults.update(faults_of_server)
    answers = [set(row.statuses) for row in outages]
    faults["answers other than 202 and 503"] = sum(len(seen - {0, 200, 202, 503}) for seen in answers)
    faults["faults without effect"] = sum(not seen & {0, 503} for seen in answers)
    body = [
        "| fault | answers meanwhile | slowest answer (s) | recovery (s) |",
        "|---|---|---:|---:|",
        *(
            f"| {row.name} | {', '.join(str(status or 'none') for status in row.statuses)} | "
            f"{row.slowest_s:.2f} | {row.recovery_s:.2f} |"
            for row in outages
        ),
    ]
    slowest = Bound(
        "an answer during a fault of the engine", max(row.slowest_s for row in outages), SLOWEST_S
    )
    return Chapter("faults of the engine", faults, body, [slowest])
