"""The service as its users see it: what they send, and what the API, the stream and a subscriber say."""

import contextlib
import json
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from benchmarks.receivers import ReceiverProcess, receiver
from processor.delivery.subscribers import Subscribers
from tests.support import messages
from tests.support.service import LIMIT_S, Service, until
from tests.support.serving import ADDRESS

API_KEY = "a-key-of-the-reliability-run"
RATE = 30.0
"""Messages a second while something is broken."""

MILESTONES = ("connection.authorized", "initial_sync.completed")
_KINDS: Sequence[Callable[..., bytes]] = (messages.connected, messages.initial_read, messages.read)
_RETRY_S = 0.02
USUAL_REFUSALS = frozenset({503})


class Client:
    """A caller of a service: posts messages as Codat does, and reads ``/v1``.

    ``refusals`` are the answers after which it sends again.
    """

    def __init__(self, service: Service, *, refusals: Collection[int] = USUAL_REFUSALS) -> None:
        self._service, self._refusals = service, refusals
        headers = {"Authorization": f"Bearer {API_KEY}"}
        self._http = httpx.Client(base_url=service.url, headers=headers, trust_env=False, timeout=30)

    def post(self, event_id: str, body: bytes, *, headers: Mapping[str, str] | None = None) -> int:
        """Send a message until it gets a 2xx, as Codat does; how often it was sent. Other answers fail.

        It is signed unless ``headers`` make it authentic. Fails after LIMIT_S.
        """
        ends_at = time.monotonic() + LIMIT_S
        for sent in count(1):
            with contextlib.suppress(httpx.HTTPError):
                proof = messages.signed(body, event_id) if headers is None else headers
                answer = self._http.post(ADDRESS, content=body, headers=proof)
                if answer.status_code in {200, 202}:
                    return sent
                assert answer.status_code in self._refusals, answer.text
            assert time.monotonic() < ends_at, f"{event_id} was never accepted"
            time.sleep(_RETRY_S)  # as Codat, which waits longer
        raise AssertionError  # not reached

    def read(self, path: str, **parameters: str) -> Any:
        """The JSON at an address under ``/v1``; ``{}`` if there is nothing.

        ``None`` if nobody answers, or with 503. Other answers fail.
        """
        try:
            answer = self._http.get(f"/v1{path}", params=parameters)
        except httpx.HTTPError:
            return None
        if answer.status_code == 404:
            return {}
        if answer.status_code == 503:
            return None
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def read_surely(self, path: str, **parameters: str) -> Any:
        """The same as soon as the service can answer; fails after LIMIT_S."""
        ends_at = time.monotonic() + LIMIT_S
        while (found := self.read(path, **parameters)) is None:
            assert time.monotonic() < ends_at, f"nobody answers {path}"
            time.sleep(_RETRY_S)
        return found

    def items(self, path: str, **parameters: str) -> list[dict[str, Any]]:
        """All rows of a list, as soon as the service can answer."""
        rows: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = self.read_surely(path, limit="200", **cursor, **parameters)
            rows += page.get("items", [])
            if page.get("next_cursor") is None:
                return rows
            cursor = {"cursor": page["next_cursor"]}

    def is_handled(self, event_id: str) -> bool:
        """Whether a message was understood and decided."""
        event = self.read(f"/events/{event_id}")
        return bool(event) and event["status"] == "processed"

    def close(self) -> None:
        """Give back the connections."""
        self._http.close()


class Traffic:
    """Sends true histories of connections, ``rate`` messages a second, until it is stopped.

    Three messages a connection: access, first sync, a later sync.
    """

    def __init__(self, service: Service, rate: float, refusals: Collection[int] = USUAL_REFUSALS) -> None:
        self.accepted: list[str] = []
        self.others: list[str] = []
        """Messages that somebody else sent, and that were accepted."""

        self.repeated = 0
        self._failure: BaseException | None = None
        self._service, self._rate, self._refusals = service, rate, refusals
        self._stop, self._goes_on = threading.Event(), threading.Event()
        self._goes_on.set()
        self._paused_s = 0.0
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def connections(self) -> int:
        """How many connections have all of their messages accepted."""
        return len(self.accepted) // len(_KINDS)

    def go_on(self, connections: int = 10) -> None:
        """Wait until those of so many more connections are accepted."""
        target = self.connections + connections
        until(lambda: self.connections >= target or not self._thread.is_alive())

    def start(self) -> None:
        """Send in a thread."""
        self._thread.start()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Begin no connection meanwhile."""
        began = time.monotonic()
        self._goes_on.clear()
        yield
        self._paused_s += time.monotonic() - began
        self._goes_on.set()

    def stop(self) -> None:
        """Send no more; wait until what was begun is accepted. Raises what went wrong meanwhile."""
        self._stop.set()
        self._goes_on.set()
        self._thread.join(LIMIT_S)
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        assert not self._thread.is_alive(), "what was begun is not accepted in time"

    def _run(self) -> None:
        try:
            self._send()
        except BaseException as error:
            self._failure = error

    def _send(self) -> None:
        client = Client(self._service, refusals=self._refusals)
        began = time.monotonic()
        for number, (event_id, body) in enumerate(_messages()):
            if number % len(_KINDS) == 0:
                self._goes_on.wait()
                due = began + self._paused_s + number / self._rate
                if self._stop.wait(max(0.0, due - time.monotonic())):
                    break
            self.repeated += client.post(event_id, body) - 1
            self.accepted.append(event_id)
        client.close()


def _messages() -> Iterator[tuple[str, bytes]]:
    number = 0
    while True:
        for step, kind in enumerate(_KINDS):
            body = kind(f"company-{number % 50}", connection_id(number), at=datetime.now(UTC))
            yield f"msg-{number}-{step}", body
        number += 1


def connection_id(number: int) -> str:
    """The id of a connection of the traffic."""
    return f"connection-{number}"


@contextlib.contextmanager
def serving_users(**environ: str) -> Iterator[tuple[Service, ReceiverProcess]]:
    """A service with these settings and a subscriber."""
    settings = {"API_KEYS": API_KEY, "LOG_LEVEL": "WARNING", "ALLOW_PRIVATE_SUBSCRIBERS": "true", **environ}
    with (
        tempfile.TemporaryDirectory(prefix="codat-") as folder,
        receiver() as subscriber,
        Service(Path(folder), **settings) as service,
    ):
        with service.redis() as redis:
            Subscribers(redis, allow_private=True).add(url=subscriber.url)
        yield service, subscriber


@contextlib.contextmanager
def traffic(
    rate: float = RATE, refusals: Collection[int] = USUAL_REFUSALS, /, **environ: str
) -> Iterator[tuple[Service, Traffic, ReceiverProcess]]:
    """The same, while ``rate`` messages a second are sent."""
    with serving_users(**environ) as (service, subscriber):
        sent = Traffic(service, rate, refusals)
        sent.start()
        try:
            yield service, sent, subscriber
        finally:
            sent.stop()


class Faults(Counter[str]):
    """What is wrong in the end, by promise."""


def judge(service: Service, traffic: Traffic, receiver: ReceiverProcess) -> Faults:
    """Check the promises from outside once everything is handled and delivered."""
    client, faults = Client(service), Faults()
    rows = judge_receivers(service, client, (*traffic.accepted, *traffic.others), receiver, faults)
    told = Counter((row["data"]["connection_id"], row["type"]) for row in rows)
    wanted = [(connection_id(n), kind) for n in range(traffic.connections) for kind in MILESTONES]
    faults["milestones not told"] = sum(told[key] == 0 for key in wanted)
    faults["milestones decided twice"] = sum(max(0, times - 1) for times in told.values())
    for number in range(traffic.connections):
        timeline = Counter(
            row["event_id"] for row in client.items(f"/connections/{connection_id(number)}/timeline")
        )
        faults["messages decided twice"] += sum(max(0, times - 1) for times in timeline.values())
    client.close()
    return faults


def judge_receivers(
    service: Service, client: Client, accepted: Sequence[str], receiver: ReceiverProcess, faults: Faults
) -> list[dict[str, Any]]:
    """Check that all that was accepted is handled, and that stream and subscriber have what was decided.

    Waits until everything is handled and delivered. Returns the notifications.
    """
    until(lambda: not client.items("/events", status="pending"))
    for status in ("published", "pending"):  # not divided among the lanes, not delivered
        until(lambda status=status: not client.items("/notifications", status=status))  # type: ignore[misc]
    handled = Counter(row["id"] for row in client.items("/events", status="processed"))
    faults["accepted messages lost"] = sum(event_id not in handled for event_id in accepted)
    rows = client.items("/notifications")
    ids = {row["id"] for row in rows}
    with service.redis() as redis:
        entries = redis.xrange("codat:notifications")
    stream = Counter(json.loads(fields[b"notification"])["id"] for _, fields in entries)
    faults["stream entries missing"] = len(ids - set(stream))
    faults["stream entries double or of nothing"] = sum(stream[id_] != (id_ in ids) for id_ in stream)
    arrived = {key.split(" ")[1] for key in receiver.arrivals().times}
    faults["webhooks not delivered"] = len(ids - arrived)
    faults["webhooks of nothing"] = len(arrived - ids)
    return rows
