"""Notifications that were decided."""

import json
from datetime import datetime, timedelta

import pytest
from redis import Redis

from processor.store import keys
from tests.processor.web.v1.conftest import Call, Get
from tests.processor.web.v1.filling import Filling
from tests.support.workbench import Workbench


def test_a_notification_is_what_stands_on_the_stream(filling: Filling, get: Get, redis_url: str) -> None:
    filling.make_ready()
    with Redis.from_url(redis_url) as client:
        Workbench(client).publish()
        told = [json.loads(entry[b"notification"]) for _, entry in client.xrange(keys.stream())]
    shown = get("/v1/notifications")["items"]
    assert shown == [
        {**notification, "status": "published", "deliveries": []} for notification in reversed(told)
    ]
    assert [item["type"] for item in shown] == ["initial_sync.completed", "connection.authorized"]
    assert shown[0]["data"]["data_types"] == {"complete": ["invoices"], "failed": {"bills": "FetchError"}}
    for item in shown:
        assert get(f"/v1/notifications/{item['id']}") == item


def test_notifications_are_filtered_by_connection_and_status(filling: Filling, get: Get) -> None:
    filling.make_ready("xero")
    filling.make_ready("stripe")
    assert len(get("/v1/notifications")["items"]) == 4
    mine = get("/v1/notifications", connection_id="stripe")["items"]
    assert [item["data"]["connection_id"] for item in mine] == ["stripe", "stripe"]
    assert get("/v1/notifications", connection_id="stripe", status="published")["items"] == mine
    assert get("/v1/notifications", status="dead")["items"] == []
    assert get("/v1/notifications", connection_id="none")["items"] == []


def test_notifications_are_paged(filling: Filling, get: Get) -> None:
    filling.make_ready()
    first = get("/v1/notifications", limit=1)
    second = get("/v1/notifications", limit=1, cursor=first["next_cursor"])
    assert [*first["items"], *second["items"]] == get("/v1/notifications")["items"]
    assert second["next_cursor"] is None


def test_notifications_are_found_by_merchant_company_type_and_time(filling: Filling, get: Get) -> None:
    """An integrator could ask by connection alone: not for a merchant, a type, or what is new."""
    filling.make_ready("xero", company="c1")
    between = filling.now
    filling.make_ready("stripe", company="c2")

    def found(**query: str) -> list[tuple[str, str]]:
        items = get("/v1/notifications", **query)["items"]
        return [(item["data"]["connection_id"], item["type"]) for item in items]

    whole = found()
    assert len(whole) == 4
    stripe = [item for item in whole if item[0] == "stripe"]
    assert found(merchant_id="m-c2") == found(company_id="c2") == stripe
    assert found(merchant_id="m-c2", company_id="c1") == []
    assert found(merchant_id="m-c2", connection_id="xero") == []
    assert found(merchant_id="nobody") == []
    assert found(type="connection.authorized") == [item for item in whole if item[1].endswith("authorized")]
    assert found(type="connection.authorized", merchant_id="m-c1") == [("xero", "connection.authorized")]
    assert found(type="connection.deleted") == []
    moment = filling_time(between + timedelta(seconds=30))
    later = found(since=moment)
    assert [*later, *found(until=moment)] == whole
    assert 0 < len(later) < 4
    assert found(since="2026-11-22T15:00:00Z", until=moment, merchant_id="m-c2") == []

    paged, cursor = [], None
    while True:
        page = get("/v1/notifications", limit=1, merchant_id="m-c2", **({"cursor": cursor} if cursor else {}))
        paged += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert [(item["data"]["connection_id"], item["type"]) for item in paged] == stripe


def filling_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("since", "yesterday"),
        ("since", "0001-01-01T00:00:00+23:00"),
        ("until", "9" * 5_000),
        ("type", "connection.everything"),
        ("since", ""),
    ],
)
def test_what_is_no_filter_is_refused_by_name(call: Call, name: str, value: str) -> None:
    answer = call("/v1/notifications", **{name: value})
    assert answer.status_code == 422
    assert answer.json is not None
    assert list(answer.json["errors"]) == [name]


def test_an_end_before_its_beginning_is_refused(call: Call) -> None:
    answer = call("/v1/notifications", since="2026-11-22T15:00:00Z", until="2026-11-22T15:00:00Z")
    assert answer.status_code == 422
    assert answer.json is not None
    assert list(answer.json["errors"]) == ["until"]
