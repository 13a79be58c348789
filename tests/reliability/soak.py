"""Load for a long time with a burst of replays in the middle: ``python -m tests.reliability.soak``."""

import argparse
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from statistics import median
from typing import Any

from benchmarks import load
from benchmarks.receivers import ReceiverProcess
from processor.store.inbox import REPLAYED_AFTER
from tests.reliability import report
from tests.reliability.kills import PROCESSES
from tests.reliability.outside import MILESTONES, Client, Faults, serving_users
from tests.reliability.report import Bound, Chapter, times
from tests.support import messages
from tests.support.percentile import percentile
from tests.support.service import LIMIT_S, Service, until

KINDS: tuple[Callable[..., bytes], ...] = (messages.connected, messages.initial_read, messages.read)
"""The messages of one connection: access, first sync, a later sync."""

COPIES = 10
"""How often a replay repeats each message, each time under another id."""

CHUNK_S = 5.0
"""Requests are signed for so many seconds of load at a time: a signature is valid for five minutes."""

READY_WITHIN_S, YARDSTICKS = 1.0, 5
"""Limit of a click during the burst: a second, or on a busy machine so many clicks of before it."""

NORMAL_AGAIN_S = 30.0
MOST_GROWTH = 1.3
"""Memory in the last fifth of the run as a multiple of that in the second fifth."""

LOOK_S = 2.0
_TOP_COUNT = 1_500
AFTER_KILL = "right after the workers were killed"

Numbered = Iterator[tuple[str, bytes]]


def _lives(prefix: str, at: Callable[[], datetime]) -> Numbered:
    """Event ids and messages of connections without end, three each."""
    number = 0
    while True:
        for kind in KINDS:
            name = f"{prefix}-{number}"
            yield f"{name}-{kind.__name__}", kind(f"company-{name}", f"connection-{name}", at=at())
        number += 1


@dataclass(slots=True)
class _Sent:
    """Counts what was accepted. A chunk with a refusal is sent again whole, as Codat does with a message."""

    port: int
    messages: int = 0
    connections: int = 0

    def send(self, rows: list[tuple[str, bytes]], *, rate: float | None, copies: int = 1) -> float:
        """Send messages until all are accepted; the rate of the first attempt. Answers but 503 fail."""
        answered = None
        while answered is None or not set(answered[1]) <= {200, 202}:
            requests = [load.message(event_id, body) for event_id, body in rows]
            result = load.send(self.port, requests, connections=8, rate=None if answered else rate)
            assert set(result.statuses) <= {200, 202, 503}, result.statuses
            answered = answered[0] if answered else result.rate, result.statuses
        self.messages += len(rows)
        self.connections += len(rows) // len(KINDS) // copies
        return answered[0]


class _Background:
    """Does something in a thread until it is told to stop; what it raised is raised by ``stop``."""

    def __init__(self, step: Callable[[], object]) -> None:
        self._step = step
        self._failure: BaseException | None = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._end.is_set():
                self._step()
        except BaseException as error:
            self._failure = error

    @property
    def has_failed(self) -> bool:
        """Whether it has ended because it raised something."""
        return self._failure is not None

    def stop(self) -> None:
        """Wait for the end of the current step."""
        self._end.set()
        self._thread.join(LIMIT_S)
        if self._failure is not None:
            raise self._failure
        assert not self._thread.is_alive(), "the current step does not end"


@dataclass(slots=True)
class SoakReport:
    """What a run led to. Memory in MB by kind of process, one sample every two seconds."""

    top_rate: float = 0.0
    rate: float = 0.0
    accepted: int = 0
    replays: int = 0
    clicks: dict[str, list[float]] = field(default_factory=dict)
    overtaking: int = 0
    """Clicks during the burst that were ready while replays waited."""

    normal_again_s: float = 0.0
    replays_done_s: float = 0.0
    memory: dict[str, list[float]] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)

    def growth(self, kind: str) -> tuple[float, float]:
        """Memory in the second and in the last fifth of the run, in MB."""
        samples = self.memory[kind]
        fifth = max(1, len(samples) // 5)
        return median(samples[fifth : 2 * fifth] or samples), median(samples[-fifth:])


class _Soak:
    def __init__(self, service: Service, subscriber: ReceiverProcess, rate: float | None) -> None:
        self._service, self._subscriber = service, subscriber
        self._client = Client(service)
        self._sent = _Sent(service.port)
        self._replayed = _Sent(service.port)
        self._clicks = 0
        self.report = SoakReport(memory={"web": [], "workers": []})
        self.report.top_rate = self._sent.send(self._rows("top", _TOP_COUNT), rate=None)
        self.report.rate = rate or self.report.top_rate / 2
        self._traffic = _lives("load", lambda: datetime.now(UTC))

    @staticmethod
    def _rows(prefix: str, count: int) -> list[tuple[str, bytes]]:
        return list(islice(_lives(prefix, lambda: datetime.now(UTC)), count))

    def run(self, seconds: float, replays: int) -> SoakReport:
        """Load for so long, the burst after a third of it; then the judgement."""
        began = time.monotonic()
        background = [_Background(self._load), _Background(self._look_at_memory)]
        try:
            self._click_until("before the burst", lambda: time.monotonic() - began > seconds / 3)
            self._burst(replays)
            self._click_until("afterwards", lambda: time.monotonic() - began > seconds)
        finally:
            for task in background:
                task.stop()
        self._judge()
        return self.report

    def _load(self) -> None:
        connections = max(1, round(self.report.rate * CHUNK_S / len(KINDS)))
        rows = list(islice(self._traffic, connections * len(KINDS)))
        self._sent.send(rows, rate=self.report.rate)

    def _look_at_memory(self) -> None:
        names = [PROCESSES[kind] for kind in ("drain", "deliver", "ask", "poll")]
        workers = [pid for name in names for pid in self._service.pids_of(name)]
        for kind, pids in {"web": self._service.pids_of(PROCESSES["web"]), "workers": workers}.items():
            self.report.memory[kind].append(_megabytes(pids))
        time.sleep(LOOK_S)

    def _click(self) -> float:
        """Seconds from the two messages of a merchant who connects to "ready"."""
        name = f"click-{self._clicks}"
        self._clicks += 1
        began = time.monotonic()
        for kind in KINDS[:2]:
            body = kind(f"company-{name}", name, at=datetime.now(UTC))
            self._client.post(f"{name}-{kind.__name__}", body)
        until(lambda: (self._client.read(f"/connections/{name}") or {}).get("state") == "ready", poll_s=0.01)
        return time.monotonic() - began

    def _click_until(self, when: str, is_over: Callable[[], bool]) -> None:
        clicks = self.report.clicks.setdefault(when, [])
        while not is_over() or not clicks:
            clicks.append(self._click())
            time.sleep(0.5)

    def _lanes(self) -> Any:
        """Both lanes of the inbox; as soon as somebody answers."""
        return self._client.read_surely("/stats")["inbox"]["lanes"]

    def _burst(self, replays: int) -> None:
        long_ago = datetime.now(UTC) - 2 * REPLAYED_AFTER
        whole = replays // COPIES // len(KINDS) * len(KINDS)  # no connection is cut in two
        lives = list(islice(_lives("replayed", lambda: long_ago), whole))
        chunks = iter(range(COPIES))
        left = threading.Event()

        def send() -> None:
            copy = next(chunks, None)
            if copy is None:
                left.set()
                time.sleep(0.1)
            else:
                rows = [(f"{event_id}-{copy}", body) for event_id, body in lives]
                self._replayed.send(rows, rate=None, copies=COPIES if copy else 1)

        sender, clicks = _Background(send), self.report.clicks.setdefault("during the burst", [])
        try:
            while not (left.is_set() or sender.has_failed):
                clicks.append(self._click())
                self.report.overtaking += self._lanes()["replays"]["depth"] > 0
        finally:
            sender.stop()
        self.report.replays = self._replayed.messages
        began = time.monotonic()
        self.report.normal_again_s = until(lambda: self._lanes()["new"]["age_s"] < READY_WITHIN_S)
        if self._lanes()["replays"]["depth"]:  # workers die with replays and new messages in their hands
            self._service.kill(*self._service.pids_of(PROCESSES["drain"]))
            self.report.clicks[AFTER_KILL] = [self._click()]
        until(lambda: not self._lanes()["replays"]["depth"], limit_s=10 * LIMIT_S)
        self.report.replays_done_s = time.monotonic() - began

    def _judge(self) -> None:
        """Count from outside; every message has an id of its own, and every connection two milestones."""
        faults, client = self.report.faults, self._client
        until(lambda: not sum(lane["depth"] for lane in self._lanes().values()), limit_s=10 * LIMIT_S)
        for status in ("published", "pending"):
            until(
                lambda status=status: not client.items("/notifications", status=status),  # type: ignore[misc]
                limit_s=10 * LIMIT_S,
            )
        stats = client.read_surely("/stats")
        accepted = self._sent.messages + self._replayed.messages + 2 * self._clicks
        connections = self._sent.connections + self._replayed.messages // COPIES // len(KINDS) + self._clicks
        self.report.accepted = accepted
        faults["accepted messages lost"] = abs(accepted - stats["events"]["processed"])
        faults["messages that failed"] = stats["events"]["failed"] + stats["events"]["dead"]
        for kind in MILESTONES:
            told = stats["counters"].get(f"told:{kind}", 0)
            faults["milestones not told"] += max(0, connections - told)
            faults["milestones decided twice"] += max(0, told - connections)
        arrived = {key.split(" ")[1] for key in self._subscriber.arrivals().times}
        faults["webhooks not delivered"] = abs(stats["notifications"] - len(arrived))
        for kind in self.report.memory:
            before, after = self.report.growth(kind)
            faults["processes whose memory grew"] += after > MOST_GROWTH * before


def _megabytes(pids: list[int]) -> float:
    """Resident memory of these processes."""
    command = ["ps", "-o", "rss=", "-p", ",".join(map(str, pids)) or "0"]
    listing = subprocess.run(command, capture_output=True, text=True, check=False)
    return sum(map(int, listing.stdout.split())) / 1024


def run(seconds: float, *, replays: int, rate: float | None = None) -> SoakReport:
    """Half the top rate, or ``rate`` messages a second, for so many seconds."""
    with serving_users() as (service, subscriber):
        return _Soak(service, subscriber, rate).run(seconds, replays)


def chapter(minutes: float, *, replays: int = 100_000) -> Chapter:
    """The run, for the page."""
    soaked = run(60 * minutes, replays=replays)
    before = percentile(soaked.clicks["before the burst"], 0.99)
    during = percentile(soaked.clicks["during the burst"], 0.99)
    growth = {kind: soaked.growth(kind) for kind in soaked.memory}
    clicks = len(soaked.clicks["during the burst"])
    killed = ", with the drains killed in between" if AFTER_KILL in soaked.clicks else ""
    body = [
        f"{soaked.rate:.0f} messages a second, half of what this machine accepts at most, for {minutes:g} "
        f"minutes; {soaked.accepted:,} were accepted, {soaked.replays:,} of them in a burst of replays two "
        f"hours old, each message under {COPIES} ids. {soaked.overtaking} of {clicks} clicks during the "
        f"burst were ready while replays waited; the last replay was handled {soaked.replays_done_s:.0f} s "
        f"after the end of the burst{killed}. Seconds from the two messages of a merchant who connects to "
        "`ready` in `/v1`:",
        "",
        *times("click", list(soaked.clicks.items())),
        "",
        "| memory (MB) | in the second fifth of the run | in the last |",
        "|---|---:|---:|",
        *(f"| {kind} | {first:.0f} | {last:.0f} |" for kind, (first, last) in growth.items()),
    ]
    bounds = [
        Bound(
            "a click during a burst of replays is ready, p99 (a second, or five times the p99 of before it)",
            during,
            max(READY_WITHIN_S, round(YARDSTICKS * before, 2)),
        ),
        Bound("new messages have their normal lag after the burst", soaked.normal_again_s, NORMAL_AGAIN_S),
    ]
    return Chapter("load", soaked.faults, body, bounds)


def main() -> int:
    """Run it and print the chapter; the exit code is 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--replays", type=int, default=100_000, help="messages of the burst")
    options = parser.parse_args()
    soaked = chapter(options.minutes, replays=options.replays)
    print(report.text([soaked]))
    return int(not soaked.is_kept)


if __name__ == "__main__":
    sys.exit(main())
