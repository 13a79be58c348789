"""Messages that wait are one batch: one thread, one round trip, and each is answered in time."""

import contextlib
import dataclasses
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
from redis import Redis, RedisError

from processor.clock import utc_now
from processor.container import Container, for_worker
from processor.settings.loading import load
from processor.store import keys
from processor.store.inbox import AcceptResult, Inbox, ReceivedMessage
from processor.web.message_queue import MAX_BATCH
from processor.web.message_receiver import MessageReceiver, MessageRequest
from processor.web.receipt_counter import ReceiptCounter
from processor.web.refusal_log import RefusalLog
from processor.web.rsgi import RsgiGateway
from tests.processor.web.rsgi_callers import HOST, Headers, Protocol, ask, scope
from tests.support import cells, messages
from tests.support.counting import RoundTrips, breaking
from tests.support.service import until
from tests.support.serving import ENVIRON, kept

MOST = 10_000
AT_ONCE_S = 0.05
LONG_S = 60.0

Sent = tuple[Any, Protocol]


def no_app(*_: Any) -> Any:
    raise AssertionError("a message came to Flask")


class HeldClock:
    """A clock that everybody who reads it waits for while it is held."""

    def __init__(self) -> None:
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.waited_for = threading.Event()

    def __call__(self) -> datetime:
        self.waited_for.set()
        assert self.goes_on.wait(LONG_S)
        return utc_now()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        self.waited_for.clear()
        self.goes_on.clear()
        try:
            yield
        finally:
            self.goes_on.set()


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def trips() -> RoundTrips:
    return RoundTrips()


@pytest.fixture
def container(redis_url: str, clock: HeldClock, trips: RoundTrips) -> Container:
    """A container whose inbox counts its round trips."""
    built = kept(for_worker(load({**ENVIRON, "REDIS_URL": redis_url})))
    return dataclasses.replace(built, clock=clock, inbox=Inbox(trips.client(redis_url)))


def receiver_of(container: Container) -> MessageReceiver:
    return MessageReceiver(container, ReceiptCounter(container.redis, clock=container.clock), RefusalLog())


def gateway_of(container: Container, *, answer_within_s: float = LONG_S) -> RsgiGateway:
    return RsgiGateway(
        no_app,
        threads=1,
        max_body_bytes=MOST,
        receiver=receiver_of(container),
        answer_within_s=answer_within_s,
    )


def sent(body: bytes, event_id: str, *, path: str = "/webhooks/codat", method: str = "POST") -> Sent:
    """An authentic message, and its caller."""
    headers = Headers(HOST, ("content-length", str(len(body))), *messages.signed(body, event_id).items())
    return scope(headers=headers, path=path, method=method), Protocol(body)


def new(number: int) -> bytes:
    return messages.connected(f"company-{number}", f"connection-{number}")


def told(request: Sent) -> tuple[int | None, str]:
    """The status of the answer, and the status of the message in it."""
    return request[1].status, json.loads(request[1].body)["status"]


def in_thread(run: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.parametrize("count", [1, 7, MAX_BATCH])
def test_what_waits_while_a_batch_is_stored_is_the_next_batch_and_one_round_trip(
    container: Container, clock: HeldClock, trips: RoundTrips, store: Redis, count: int
) -> None:
    gateway = gateway_of(container)
    ask(gateway, sent(new(0), "msg_warm"))
    trips.reset()
    first, later = sent(new(0), "msg_first"), [sent(new(n), f"msg_{n}") for n in range(count)]
    with clock.held():
        asking = [in_thread(lambda: ask(gateway, first))]
        assert clock.waited_for.wait(LONG_S)
        asking.append(in_thread(lambda: ask(gateway, *later)))
        assert gateway._messages is not None
        waiting = gateway._messages._waiting
        until(lambda: waiting.qsize() == count)
    for thread in asking:
        thread.join()

    assert [told(request) for request in (first, *later)] == [(202, "accepted")] * (count + 1)
    assert [wire.count(b"EVALSHA") for wire in trips.sent] == [1, 1]
    assert trips.count == 2
    assert cells.count(store, keys.events) == count + 2


def test_a_batch_of_every_kind_is_one_round_trip_and_each_gets_its_own_answer(
    container: Container, trips: RoundTrips, store: Redis
) -> None:
    receiver = receiver_of(container)
    requests = [
        MessageRequest(dict(messages.signed(body, event_id)), body, "192.0.2.7")
        for body, event_id in [
            (new(1), "msg_1"),
            (b"nonsense", "msg_2"),
            (new(1), "msg_1"),
            (b"nonsense", "msg_2"),
            (new(3), "msg_3"),
        ]
    ]
    requests.insert(2, MessageRequest({}, new(4), "192.0.2.7"))
    receiver.receive(requests)
    store.flushall()
    receiver.receive(requests[:2])  # the engine learns its scripts
    store.delete(*store.scan_iter())
    trips.reset()

    responses, _ = receiver.receive(requests)

    assert trips.count == 1
    assert [response.status for response in responses] == [202, 202, 401, 200, 200, 202]
    statuses = [json.loads(response.body)["status"] for response in responses]
    assert statuses == ["accepted", "quarantined", 401, "duplicate", "duplicate", "accepted"]


def test_a_batch_of_refused_messages_does_not_ask_redis(container: Container, trips: RoundTrips) -> None:
    responses, asleep = receiver_of(container).receive([MessageRequest({}, b"", "192.0.2.7")] * 5)

    assert [response.status for response in responses] == [401] * 5
    assert (trips.count, asleep) == (0, set())


def test_a_message_that_redis_refuses_does_not_take_its_batch_with_it(
    container: Container, store: Redis
) -> None:
    store.set(keys.company_events("company-2"), "not what belongs there")
    requests = [
        MessageRequest(dict(messages.signed(new(n), f"msg_{n}")), new(n), "192.0.2.7") for n in (1, 2, 3)
    ]

    responses, _ = receiver_of(container).receive(requests)

    assert [response.status for response in responses] == [202, 503, 202]
    assert dict(responses[1].headers)["retry-after"]


def test_a_batch_whose_connection_breaks_is_refused_and_nobody_is_told_that_it_was_kept(
    container: Container, redis_url: str
) -> None:
    """Cut off before the answer: what was stored is a duplicate when it comes again."""
    client = breaking(redis_url, after=0)
    receiver = receiver_of(dataclasses.replace(container, inbox=Inbox(client)))
    requests = [
        MessageRequest(dict(messages.signed(new(n), f"msg_{n}")), new(n), "192.0.2.7") for n in (1, 2, 3)
    ]

    responses, asleep = receiver.receive(requests)

    assert [response.status for response in responses] == [503] * 3
    assert asleep == set()
    again, _ = receiver_of(container).receive(requests)
    assert [response.status for response in again] == [202] * 3


def test_while_the_thread_hangs_all_are_answered_in_time_and_what_it_had_not_taken_is_dropped(
    container: Container, clock: HeldClock, store: Redis
) -> None:
    gateway = gateway_of(container, answer_within_s=AT_ONCE_S)
    taken = sent(new(0), "msg_taken")
    waiting = [sent(new(n), f"msg_{n}") for n in range(1, 4)]
    with clock.held():
        assert ask(gateway, taken) == [503]
        assert clock.waited_for.is_set()
        assert ask(gateway, *waiting) == [503] * 3
    patient = gateway_of(container)
    until(lambda: cells.count(store, keys.events) > 0)  # the thread goes on with what it had taken

    assert ask(patient, taken_again := sent(new(0), "msg_taken")) == [200]
    assert told(taken_again) == (200, "duplicate")
    until(lambda: ask(gateway, sent(new(9), "msg_after")) != [503])  # the machine may be slow
    assert not any(cells.message(store, f"msg_{n}") for n in range(1, 4))
    assert json.loads(waiting[0][1].body)["status"] == 503


class Forgetful(Inbox):
    """An inbox with a bug that nobody foresaw."""

    forgets = True

    def accept_many(self, messages: Sequence[ReceivedMessage]) -> list[AcceptResult | RedisError]:
        return [] if self.forgets else super().accept_many(messages)


def test_a_bug_is_answered_503_and_does_not_end_the_thread(
    container: Container, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    inbox = Forgetful(Redis.from_url(redis_url))
    gateway = gateway_of(dataclasses.replace(container, inbox=inbox))

    assert ask(gateway, sent(new(1), "msg_1")) == [503]
    assert "internal error" in caplog.text
    inbox.forgets = False
    assert ask(gateway, sent(new(1), "msg_1")) == [202]


def test_the_same_message_from_many_callers_at_once_is_kept_once(container: Container, store: Redis) -> None:
    gateway = gateway_of(container)
    requests = [sent(new(1), "msg_1") for _ in range(200)]

    statuses = ask(gateway, *requests)

    assert sorted(status or 0 for status in statuses) == [200] * 199 + [202]
    assert cells.message(store, "msg_1")["duplicates"] == 199


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/webhooks/codat", "POST"),
        ("/webhooks/codat", "PUT"),
        ("/webhooks/codat/", "POST"),
        ("//webhooks//codat", "POST"),
        ("/webhooks/%63odat", "PUT"),
    ],
)
def test_a_message_goes_past_flask_however_its_address_is_written(
    container: Container, path: str, method: str
) -> None:
    request = sent(new(1), "msg_1", path=path, method=method)
    assert ask(gateway_of(container), request) == [202]


def test_many_threads_may_receive_at_once(container: Container, redis_url: str, store: Redis) -> None:
    """Under another WSGI server each thread calls the receiver by itself."""
    receiver = receiver_of(dataclasses.replace(container, inbox=Inbox(Redis.from_url(redis_url))))

    def receive(caller: int) -> list[int]:
        requests = [
            MessageRequest(dict(messages.signed(new(n), f"msg_{n}")), new(n), "192.0.2.7")
            for n in range(caller, caller + 50)
        ]
        return [response.status for response in receiver.receive(requests)[0]]

    with ThreadPoolExecutor(8) as pool:
        statuses = [status for many in pool.map(receive, range(8)) for status in many]

    assert statuses.count(202) == cells.count(store, keys.events) == 57
    assert set(statuses) == {200, 202}
