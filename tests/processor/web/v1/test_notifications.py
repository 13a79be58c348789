"""Notifications that were decided."""

import json

from redis import Redis

from processor.store import keys
from tests.processor.web.v1.conftest import Get
from tests.processor.web.v1.filling import Filling


def test_a_notification_is_what_stands_on_the_stream(filling: Filling, get: Get, redis_url: str) -> None:
    filling.make_ready()
    with Redis.from_url(redis_url) as client:
        told = [json.loads(entry[b"notification"]) for _, entry in client.xrange(keys.stream())]
    shown = get("/v1/notifications")["items"]
    assert shown == [{**one, "status": "published", "deliveries": []} for one in reversed(told)]
    assert [one["type"] for one in shown] == ["initial_sync.completed", "connection.authorized"]
    assert shown[0]["data"]["data_types"] == {"complete": ["invoices"], "failed": {"bills": "FetchError"}}
    for one in shown:
        assert get(f"/v1/notifications/{one['id']}") == one


def test_notifications_are_filtered_by_connection_and_status(filling: Filling, get: Get) -> None:
    filling.make_ready("xero")
    filling.make_ready("stripe")
    assert len(get("/v1/notifications")["items"]) == 4
    mine = get("/v1/notifications", connection_id="stripe")["items"]
    assert [one["data"]["connection_id"] for one in mine] == ["stripe", "stripe"]
    assert get("/v1/notifications", connection_id="stripe", status="published")["items"] == mine
    assert get("/v1/notifications", status="dead")["items"] == []
    assert get("/v1/notifications", connection_id="none")["items"] == []


def test_notifications_are_paged(filling: Filling, get: Get) -> None:
    filling.make_ready()
    first = get("/v1/notifications", limit=1)
    second = get("/v1/notifications", limit=1, cursor=first["next_cursor"])
    assert [*first["items"], *second["items"]] == get("/v1/notifications")["items"]
    assert second["next_cursor"] is None
