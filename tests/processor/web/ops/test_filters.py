"""Every list can be narrowed in its address, shows merchants by name, and is searched by a part of an id."""

import re

import pytest

from processor.store import keys, part_search
from tests.processor.web.ops.operating import Operator, add_subscriber, told_of
from tests.processor.web.v1.filling import Filling

EARLY, LATE = "2026-11-22T15:00:00Z", "2026-11-22T16:30:00Z"


@pytest.fixture
def filled(filling: Filling) -> Filling:
    """Two connections an hour apart, and a subscriber that gets what the first is told."""
    add_subscriber(filling)
    filling.make_ready("xero")
    filling.now = filling.now.replace(hour=17)
    filling.tell("connection.created", "stripe", company="c2")
    filling.drain()
    return filling


def ids(operator: Operator, path: str, kind: str, **query: str) -> set[str]:
    """The ids of the rows of a list."""
    answer = operator.open(path, **query)
    assert answer.status_code == 200, answer.text
    rows = re.findall(rf'<th scope="row"[^>]*><a class="id" href="/ops/{kind}/([^"]+)"', answer.text)
    return set(rows)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"platform": "xero"}, {"xero"}),
        ({"platform": "strp"}, {"stripe"}),
        ({"until": LATE}, {"xero"}),
        ({"since": LATE}, {"stripe"}),
        ({"since": EARLY, "platform": "nothing"}, set()),
        ({"merchant": "m-c2"}, {"stripe"}),
        ({"merchant": "c1"}, {"xero"}),
        ({"merchant": "toft"}, {"xero", "stripe"}),
        ({"merchant": "toft", "state": "ready", "platform": "XERO"}, {"xero"}),
        ({"merchant": "unknown"}, set()),
    ],
)
def test_connections(filled: Filling, query: dict[str, str], expected: set[str]) -> None:
    assert ids(Operator(filled), "/ops/connections", "connections", **query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"type": "Connection.Created"}, 2),
        ({"since": LATE}, 1),
        ({"until": LATE}, 3),
        ({"connection_id": "xero"}, 3),
        ({"merchant": "m-c2"}, 1),
        ({"merchant_id": "m-c1", "status": "processed", "type": "connection.connected"}, 1),
        ({"status": "dead", "since": EARLY}, 0),
    ],
)
def test_messages(filled: Filling, query: dict[str, str], expected: int) -> None:
    assert len(ids(Operator(filled), "/ops/events", "events", **query)) == expected


def test_notifications_by_receiver_and_merchant(filled: Filling) -> None:
    operator, id_ = Operator(filled), told_of(filled)
    (subscriber,) = filled.container.subscribers.all()
    assert id_ in ids(operator, "/ops/notifications", "notifications", merchant="toft")
    assert ids(operator, "/ops/notifications", "notifications", merchant="m-c2") == set()
    assert ids(operator, "/ops/notifications", "notifications", subscriber_id="e-mail") == set()
    page = operator.open("/ops/notifications", subscriber_id=subscriber.id).text
    assert f'<option value="{subscriber.id}" selected>' in page


def test_the_audit_trail_by_outcome_and_time(filled: Filling) -> None:
    operator = Operator(filled)
    assert operator.send("/ops/connections/xero", action="").status_code == 409  # no key for Codat
    outcome = filled.container.audit.entries(limit=1).items[0]["outcome"]
    assert "ask_codat" in operator.read("/ops/audit", outcome=outcome, since=EARLY)
    assert "There is none" in operator.read("/ops/audit", outcome="nothing")
    assert "There is none" in operator.read("/ops/audit", until=EARLY)
    assert operator.open("/ops/audit", since="yesterday").status_code == 422


def test_merchants_are_shown_by_name(filled: Filling) -> None:
    operator = Operator(filled)
    for path in ("/ops/connections", "/ops/events", "/ops/notifications"):
        assert "<bdi>Toft störes</bdi>" in operator.open(path).text, path


def test_a_part_of_an_id_finds_what_has_it(filled: Filling, monkeypatch: pytest.MonkeyPatch) -> None:
    operator, id_ = Operator(filled), told_of(filled)
    shown = operator.read("/ops/search", q=id_[4:-3])
    assert shown.startswith(f"1 thing has this in the id {id_} : a notification")
    assert "stripe : a connection" in operator.read("/ops/search", q="TRIP")
    assert "Nothing is known" in operator.read("/ops/search", q="tri")
    assert "Nothing is known" in operator.read("/ops/search", q="s*e?[a-z]")
    filled.accept(b"no JSON", "odd[*]id")
    assert "odd[*]id" in operator.read("/ops/search", q="d[*]i")
    many: dict[str | bytes, bytes | float | int | str] = {
        f"many_stripes_{number}": number for number in range(100 * part_search.MOST_RESULTS)
    }
    filled.container.redis.zadd(keys.connections_in(0, "pending"), many)
    last = keys.cells()[-1]
    filled.container.redis.zadd(keys.companies(last), {"stripes_of_the_last_cell": 1})
    filled.container.redis.zadd(keys.connections_in(last, "ready"), {"zebras_of_the_last_cell": 1})
    monkeypatch.setattr(part_search, "MOST_SCANNED", len(keys.cells()))
    assert "stripes_of_the_last_cell" in operator.read("/ops/search", q="stripes"), "of each kind some"
    assert "zebras_of_the_last_cell" in operator.read("/ops/search", q="zebras"), "each cell has its share"
    monkeypatch.setattr(part_search, "MOST_SCANNED", 0)
    assert "Nothing is known" in operator.read("/ops/search", q="stripe"[1:])
