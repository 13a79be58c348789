"""The pages of notifications."""

import json

from redis import Redis

from processor.clock import to_iso
from tests.processor.web.ops.operating import (
    Operator,
    add_subscriber,
    told_of,
)
from tests.processor.web.v1.filling import START, Filling
from tests.support import cells


def test_notifications_are_listed_and_shown(operator: Operator, filling: Filling) -> None:
    filling.make_ready()
    assert "initial_sync.completed" in operator.read("/ops/notifications", status="published")
    assert "There is none" in operator.read("/ops/notifications", status="dead")
    listed = operator.read("/ops/notifications", connection_id="xero")
    assert "connection.authorized" in listed
    shown = operator.read(f"/ops/notifications/{told_of(filling)}")
    assert shown.startswith("initial_sync.completed: published")
    assert '"state": "ready"' in shown
    assert "nobody had subscribed" in shown


def test_a_notification_is_sent_again(operator: Operator, filling: Filling) -> None:
    filling.make_ready()
    path = f"/ops/notifications/{told_of(filling)}"
    assert "There is nobody to send it to" in operator.read(path)
    answer = operator.send(path, seal=operator.seal())
    assert answer.status_code == 409
    assert "nobody to send it to" in answer.text
    lane = add_subscriber(filling)
    assert operator.follow(operator.send(path)).startswith("It is being sent again")
    assert "To 127.0.0.1:9 pending" in operator.read(path)
    assert "No attempt yet" in operator.read(path)
    assert operator.follow(operator.send(path, lane=lane)).startswith("It is being sent again")
    assert operator.send(path, lane="nobody").status_code == 404


def test_each_attempt_is_shown(operator: Operator, filling: Filling, store: Redis) -> None:
    filling.make_ready()
    id_ = told_of(filling)
    attempt = {
        "at": to_iso(START),
        "outcome": "failed",
        "status_code": 500,
        "duration_ms": 12,
        "error": "It answered 500",
        "answer": "<h1>boom</h1>",
    }
    lane = add_subscriber(filling)
    row: dict[str | bytes, bytes | float | int | str] = {
        f"{lane}:status": "dead",
        f"{lane}:total": 1,
        f"{lane}:attempt:1": json.dumps(attempt),
        "n:dead": 1,
    }
    store.hset(cells.deliveries(store, id_), mapping=row)
    answer = operator.open(f"/ops/notifications/{id_}")
    assert "&lt;h1&gt;boom&lt;/h1&gt;" in answer.text
    assert "It answered 500" in answer.text
    assert "12 ms" in answer.text
    assert "It answered 500" in operator.open("/ops/connections/xero").text, "the last one, in its row"
