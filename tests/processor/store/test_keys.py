"""Every key has the type and the lifetime that its function states; nothing else is written."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from handlers.registry import Policy
from processor import store
from processor.store import heartbeats, keys, retention, visibility
from processor.store.decoding import texts
from processor.store.inbox import DAY_S
from processor.store.keys import PREFIX, cell_of
from tests.processor.store.conftest import AWAKE_MS
from tests.support import messages
from tests.support.counting import Interrupted
from tests.support.workbench import Moving, Workbench


def key_of(function: Any, value: Any) -> Any:
    """A key of the function: with this value for every parameter but the cell."""
    names = inspect.signature(function).parameters
    return function(*[0 if name == "cell" else value for name in names])


def makes_a_key(function):
    """Whether a function of the modules for keys makes one; others help."""
    if function.__name__.startswith("_") or inspect.signature(function).return_annotation is not str:
        return False
    return key_of(function, "x").startswith(PREFIX)


FUNCTIONS = {
    name: function
    for module in pkgutil.iter_modules(store.__path__, "processor.store.")
    if module.name.endswith("keys")
    for name, function in inspect.getmembers(importlib.import_module(module.name), inspect.isfunction)
    if function.__module__ == module.name and makes_a_key(function)
}

TYPES = {
    "Hash": "hash",
    "String": "string",
    "Integer": "string",
    "Sorted set": "zset",
    "Stream": "stream",
    "List": "list",
    "Set": "set",
}

LONGEST_S = {
    "seen": 21 * DAY_S,
    "wake": AWAKE_MS / 1000,
    "asking": AWAKE_MS / 1000,
    "polling_paused": 2 * DAY_S,
}
"""How long keys of these functions live at the most, in seconds."""

RECEIVING = {
    *("messages", "repeats", "events", "events_of", "company_events", "inbox", "wake", "cursor", "retries"),
    *("connection", "connections_in", "timeline", "merchant_companies"),
    *("company", "companies"),
    *("stream", "published", "notification", "outbox", "outbox_of", "fan_out"),
    *("questions", "question_details", "asking", "polling_paused", "counters", "alive"),
}
"""The functions whose keys receiving and handling messages must have written."""

EXPIRES = re.compile(r"Expires|DEDUPE_DAYS|Seconds\.|minutes\.")
"""How a docstring says that a key does not stay."""


def pattern(function: Any) -> re.Pattern[str]:
    """Matches the keys that a function makes."""
    spelt = re.escape(key_of(function, "@"))
    return re.compile(re.sub(r"\\{c\d\d\w*\\}", r"\\{c[^:]+\\}", spelt).replace("@", "[^:]+"))


def maker(key: str) -> str:
    """The name of the one function that makes ``key``."""
    found = [name for name, function in FUNCTIONS.items() if pattern(function).fullmatch(key)]
    assert len(found) == 1, (key, found)
    return found[0]


def type_said(function):
    """The type that a function's docstring states, as Redis names it."""
    said = inspect.getdoc(function)
    return next(kind for word, kind in TYPES.items() if said.startswith(word))


@pytest.fixture
def everywhere(client):
    """An engine on which everything happened tomorrow at noon, for Redis lets keys expire by its own time."""
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=1)
    bench = Workbench(
        client, clock=Moving(noon), policy=Policy(can_ask=True, patience_s=60, late_after_s=600)
    )
    bench.ticking().tick()
    heartbeats.record(client, "worker", "worker-1")
    company = "company-1"
    visibility.mark_shown(client, [company])
    now = bench.clock()
    bench.handle(
        messages.company("company.created", company, merchant_id="m-1", at=now),
        messages.connected(company, "connection-1", at=now),
        messages.initial_read(company, "connection-1", at=now),
        messages.disconnected(company, "connection-1", at=now + timedelta(seconds=1)),
        messages.current(
            "client.rateLimit.reached", {"expiryDate": (now + timedelta(days=3)).isoformat()}, at=now
        ),
    )
    (dead,) = (one.event_id for one in bench.send(messages.connected(company, "connection-2", at=now)))
    bench.corrupt(dead)
    bench.drain_all()
    bench.inbox.quarantine("quarantined", b"?", now, "why")
    bench.inbox.quarantine("quarantined", b"?", now, "why")
    for _ in range(2):
        bench.send(messages.connected(company, "connection-3", at=now), event_id="waiting")
    bench.publish()
    bench.clock.forward(4)  # the question is due, the next attempt is not
    bench.ticking().tick()
    return bench


@pytest.mark.usefixtures("everywhere")
def test_each_key_has_the_type_and_the_lifetime_that_its_function_states(client):
    found = set()
    for key in client.scan_iter(f"{PREFIX}*", count=1000):
        name = maker(key.decode())
        found.add(name)
        function, ttl_ms = FUNCTIONS[name], client.pttl(key)
        assert client.type(key).decode() == type_said(function), key
        if EXPIRES.search(inspect.getdoc(function) or ""):
            assert 0 < ttl_ms <= LONGEST_S.get(name, 30 * DAY_S) * 1000, (key, ttl_ms)
        else:
            assert (ttl_ms, name in LONGEST_S) == (-1, False), key

    assert RECEIVING - found == set()


@pytest.mark.usefixtures("everywhere")
def test_nothing_is_written_beyond_our_namespace_and_that_of_rq(client):
    foreign = [key for key in client.scan_iter(count=1000) if not key.startswith((b"codat:", b"rq:"))]
    assert foreign == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_function_states_a_type(name):
    assert inspect.getdoc(FUNCTIONS[name]).startswith(tuple(TYPES))


def test_no_two_functions_can_make_the_same_key():
    hostile = ("processed", "0", "connection-1", "x:y")
    made = {}
    for name, function in FUNCTIONS.items():
        parameters = inspect.signature(function).parameters
        for value in hostile if parameters else ("",):
            key = key_of(function, value)
            assert made.setdefault(key, name) == name, key


def test_what_the_messages_of_a_day_leave_behind_goes_away_with_them(client, redis_url):
    """Handled or repeated long after they were trimmed, messages must not come back and stay for ever.

    One that still waits is trimmed once it is handled, also while a drain handles it.
    """
    bench = Workbench(client)
    body = messages.connected("company-1", "connection-1")
    ids = bench.handle(body, messages.other())
    assert bench.inbox.accept(messages.understood(body, ids[0]), body).duplicate
    bench.send(body, event_id="waiting")
    bench.inbox.quarantine("odd", b"?", bench.clock(), "why")
    slow: Any = Interrupted.from_url(redis_url)
    expired = bench.clock() + timedelta(seconds=1)
    slow.meanwhile = lambda: retention.trim(client, expired)
    bench.drain(slow).run(keys.cell_of("company-1"))
    assert bench.status("waiting") == "processed"
    assert bench.reader.event(ids[0]) is None
    retention.trim(client, expired)
    for event_id in ids:
        bench.inbox.requeue(event_id, status="processed", cell=1)
    bench.drain_all()

    left = {name.partition("}:")[2] for name in map(bytes.decode, client.scan_iter())}
    assert not left & {"messages", "repeats", "events", "company-events:company-1"}
    assert bench.waiting() == []
    assert not any(name.startswith("events:") for name in left)


class RequeuedMeanwhile(Redis):
    """A client that requeues a message once, right after it has read records."""

    requeue: Callable[[], object] | None = None

    def hmget(self, *args: Any, **kwargs: Any) -> Any:
        """The records, as they were before ``requeue``."""
        found = super().hmget(*args, **kwargs)
        requeue, self.requeue = self.requeue, None
        if requeue is not None:
            requeue()
        return found


def test_what_waits_to_be_handled_is_never_trimmed(client, redis_url, monkeypatch):
    """After days without a drain everything that waits is older than messages are kept."""
    monkeypatch.setattr(retention, "MAX_TRIMMED", 2)
    bench = Workbench(client)
    bodies = [messages.created("company-1", f"connection-{number}") for number in range(9)]
    handled = bench.handle(*bodies[:5])
    (broken,) = (result.event_id for result in bench.send(bodies[5]))
    bench.corrupt(broken)
    bench.drain_all()
    waiting = [result.event_id for result in bench.send(*bodies[6:])]
    cell = keys.cell_of("company-1")
    replayed = [handled.pop(), handled.pop(0)]
    bench.inbox.requeue(replayed[0], status="processed", cell=cell)
    racing: Any = RequeuedMeanwhile.from_url(redis_url)
    racing.requeue = lambda: bench.inbox.requeue(replayed[1], status="processed", cell=cell)

    retention.trim(racing, bench.clock() + timedelta(seconds=1))

    assert {bench.status(event_id) for event_id in (*waiting, *replayed)} == {"pending"}
    assert bench.status(broken) == "failed"
    assert set(texts(client.hkeys(keys.messages(cell)))) == {broken, *waiting, *replayed}
    bench.drain_all()
    retention.trim(client, bench.clock() + timedelta(seconds=1))
    assert texts(client.zrange(keys.events(cell), 0, -1)) == [broken]


@pytest.mark.parametrize(
    ("company_id", "cell"), [(None, 0), ("", 0), ("company-1", 11), ("company-2", 1), ("ü", 5)]
)
def test_the_cell_of_a_company_never_changes(company_id, cell):
    """Were the hash another after an update, what is stored would not be found any more."""
    assert cell_of(company_id) == cell


@pytest.mark.parametrize("number", [1, 2, 3, 16, 100, 256])
def test_the_cells_are_spread_evenly_over_the_slots_of_a_cluster(client, number):
    keys.use_cells(number)
    try:
        slots = [client.execute_command("CLUSTER KEYSLOT", keys.inbox(cell)) for cell in keys.cells()]
        assert [slot * number // keys.SLOTS for slot in slots] == list(range(number))
        for cell, slot in enumerate(slots):
            assert client.execute_command("CLUSTER KEYSLOT", keys.connection(cell, "xero-{1}")) == slot
    finally:
        keys.use_cells(keys.DEFAULT_CELLS)


def test_companies_are_spread_evenly():
    counts = [0] * len(keys.cells())
    for number in range(4_000):
        counts[cell_of(f"company-{number}")] += 1
    assert min(counts) > 200
