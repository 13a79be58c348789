"""A record of the store that cannot be read costs itself alone, and is named."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from redis import Redis

from processor.delivery.subscribers import Subscribers
from processor.store import keys
from processor.store.damaged_records import unreadable_records
from tests.processor.web.ops.operating import PASSWORD, Operator
from tests.processor.web.v1.filling import KEY, Filling
from tests.support import cells

GARBAGE = b"ready\n1\n{garbage"

Damage = Callable[["Redis[Any]"], object]


@pytest.fixture
def filling(redis_url: str) -> Iterator[Filling]:
    """A store with two ready connections of two companies."""
    filling = Filling(redis_url, OPERATOR_PASSWORD=PASSWORD, ALLOW_PRIVATE_SUBSCRIBERS="true")
    filling.make_ready("xero", company="c1")
    filling.make_ready("stripe", company="c2")
    yield filling
    filling.close()


def noted(filling: Filling) -> list[tuple[str, str]]:
    return [
        (record.kind, record.id)
        for record in unreadable_records(filling.container.redis, filling.container.reader)
    ]


pack = msgspec.msgpack.encode

UNREADABLE = (
    GARBAGE,
    b"",
    b"d",
    b"done\n" + pack({"id": "xero"}),
    b"z1\n" + pack({"id": "xero"}),
    b"d1\n" + pack([]),
    b"d1\n" + pack({}),
    b"d1\n" + b"\x82" + pack("id") + pack("xero") + pack("unknown") + b"\x91" * 100_000,
    b"d1\n" + pack({"id": "another"}),
    b"d1\n" + pack({"id": "xero", "facts": [{"kind": "linked"}]}),
    b"d1\n" + pack({"id": "xero", "data_types": {"bills": {"name": "bills", "status": "x", "at": "x"}}}),
    b"d1\n" + pack({"id": "xero", "described_at": 2**63}),
    b"dffffffffffffffffffff\n" + pack({"id": "xero"}),
)
"""Records of a connection that cannot be read, each for another reason."""

READABLE = b"d1\n" + pack({"id": "xero"})
"""The same without anything wrong."""


@pytest.mark.parametrize("row", [GARBAGE, b"d1\n" + pack({"id": "another"})])
def test_one_damaged_connection_is_named_and_the_others_go_on(filling: Filling, row: bytes) -> None:
    """One record of a connection held garbage: every list of connections answered 500 to everybody.

    Now the lists go on and show it as unreadable, and a note names it until it is whole again.
    """
    store = filling.container.redis
    before = store.get(cells.where(store, keys.connection, "xero"))
    store.set(cells.where(store, keys.connection, "xero"), row)
    client = filling.app.test_client()

    for path in ("/v1/connections", "/v1/connections?merchant_id=m-c1", "/v1/companies/c1/connections"):
        answer = client.get(path, headers={"Authorization": f"Bearer {KEY}"})
        assert answer.status_code == 200, answer.text
        states = {item["id"]: item["state"] for item in answer.json["items"]}
        assert states["xero"] == "unreadable"
        assert states.get("stripe", "ready") == "ready"
    for path, status in (
        ("/v1/connections/xero", 200),
        ("/v1/connections/xero/timeline", 200),
        ("/v1/connections?state=ready", 200),
        ("/v1/stats", 200),
        ("/v1/companies/c1/sync", 200),
        ("/v1/connections/xero/unlink", 405),
    ):
        assert client.get(path, headers={"Authorization": f"Bearer {KEY}"}).status_code == status, path
    operator = Operator(filling)
    for path in (
        "/ops",
        "/ops/connections",
        "/ops/connections/xero",
        "/ops/companies/c1",
        "/ops/search?q=xero",
    ):
        assert operator.open(path).status_code in (200, 302), path
    assert noted(filling) == [("connection", "xero")]

    store.set(cells.where(store, keys.connection, "xero"), before or b"")
    assert noted(filling) == []


def test_a_connection_is_unreadable_whatever_is_wrong_with_its_record(filling: Filling) -> None:
    store = filling.container.redis
    key, client = cells.where(store, keys.connection, "xero"), filling.app.test_client()
    for row in UNREADABLE:
        store.set(key, row)
        answer = client.get("/v1/connections", headers={"Authorization": f"Bearer {KEY}"})
        states = {item["id"]: item["state"] for item in answer.json["items"]}
        assert states == {"xero": "unreadable", "stripe": "ready"}, row
        assert noted(filling) == [("connection", "xero")], row
        store.set(key, READABLE)
        assert noted(filling) == []


@pytest.mark.parametrize(
    ("kind", "id_", "damage"),
    [
        ("company", "c1", lambda store: store.hset(keys.company("c1"), "tags", "{garbage")),
        ("company", "c1", lambda store: store.hdel(keys.company("c1"), "id")),
        ("company", "c1", lambda store: replaced(store, keys.company("c1"))),
        ("event", "msg_1", lambda store: damaged_message(store, b"0")),
        ("event", "msg_1", lambda store: damaged_message(store, b"garbage")),
        ("event", "msg_1", lambda store: damaged_message(store, b"90" + whole(store)[2:])),
        ("event", "msg_1", lambda store: damaged_message(store, whole(store)[:-5])),
        ("event", "msg_1", lambda store: damaged_message(store, b"00\x92\xcf" + b"\xff" * 8 + b"\xc4\x00")),
        (
            "notification",
            "*",
            lambda store: store.set(cells.where(store, keys.notification, first(store)), "{garbage"),
        ),
        (
            "notification",
            "*",
            lambda store: store.setrange(cells.where(store, keys.notification, first(store)), 9, "garbage"),
        ),
        (
            "notification",
            "*",
            lambda store: replaced(store, cells.where(store, keys.notification, first(store))),
        ),
        (
            "timeline",
            "xero",
            lambda store: store.rpush(cells.where(store, keys.timeline, "xero"), "{garbage"),
        ),
        (
            "timeline",
            "xero",
            lambda store: store.rpush(cells.where(store, keys.timeline, "xero"), "{}"),
        ),
        (
            "timeline",
            "xero",
            lambda store: store.rpush(cells.where(store, keys.timeline, "xero"), "1"),
        ),
        ("timeline", "xero", lambda store: replaced(store, cells.where(store, keys.timeline, "xero"))),
    ],
)
def test_every_kind_of_record_costs_itself_alone(
    filling: Filling, kind: str, id_: str, damage: Damage
) -> None:
    """The same garbage in a company, a message, a notification, or a timeline took their lists with it.

    Now the record is left out and named; a key that holds another type is no different.
    """
    store = filling.container.redis
    if id_ == "*":
        id_ = first(store)
    damage(store)
    client = filling.app.test_client()
    for path in ("companies", "events", "notifications", "connections", "connections/xero/timeline"):
        answer = client.get(f"/v1/{path}", headers={"Authorization": f"Bearer {KEY}"})
        assert answer.status_code == 200, (path, answer.text)
        assert answer.json["items"] or kind == path.rpartition("/")[2], path
    for path in ("companies/c1", "events/msg_1", f"notifications/{first(store)}", "connections/xero"):
        answer = client.get(f"/v1/{path}", headers={"Authorization": f"Bearer {KEY}"})
        assert answer.status_code in (200, 404), (path, answer.text)
    operator = Operator(filling)
    for path in ("/ops", "/ops/connections/xero", "/ops/events", "/ops/notifications", "/ops/search?q=toft"):
        assert operator.open(path).status_code == 200, path
    assert noted(filling) == [(kind, id_)]


def test_one_damaged_subscriber_stops_no_other(filling: Filling) -> None:
    """Garbage in one subscriber's record ended every look at the lanes: nobody was told anything any more."""
    store = filling.container.redis
    subscribers = Subscribers(store, allow_private=True)
    damaged, whole = (subscribers.add(url=f"http://127.0.0.1:{port}/") for port in (8081, 8082))
    store.hset(keys.subscriber(damaged.id), "types", "[garbage")

    assert [subscriber.id for subscriber in subscribers.all()] == [whole.id]
    assert Operator(filling).open("/ops/subscribers").status_code == 200
    assert noted(filling) == [("subscriber", damaged.id)]


def first(store: "Redis[Any]") -> str:
    return str(cells.members(store, keys.outbox)[0].decode())


def whole(store: "Redis[Any]") -> bytes:
    """The record of the first message."""
    return cells.stored_message(store, "msg_1")[1] or b""


def damaged_message(store: "Redis[Any]", record: bytes) -> None:
    """Something else instead of the record of the first message."""
    store.hset(keys.messages(cells.stored_message(store, "msg_1")[0]), "msg_1", record)


def replaced(store: "Redis[Any]", key: str) -> None:
    """Another type under the key."""
    store.delete(key)
    store.lpush(key, "garbage")
