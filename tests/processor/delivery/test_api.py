"""Subscribers and deliveries through the API."""

from datetime import timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from handlers.milestones import NOTIFICATION_TYPES
from tests.processor.delivery.conftest import Call, Service
from tests.processor.web.v1.filling import KEY
from tests.support.serving import serving
from tests.workers.delivery.receiving import MakeReceiver, status


def add(call: Call, url: str, **more: Any) -> Any:
    answer = call("POST", "/v1/subscribers", {"url": url, **more})
    assert answer.status_code == 201, answer.text
    return answer.json


def test_a_subscriber_is_added_and_its_secret_is_shown_once(call: Call) -> None:
    made = add(call, "http://127.0.0.1:9/hook", types=["initial_sync.completed"], headers={"X-Key": "hush"})

    assert made["secret"].startswith("whsec_")
    shown = call("GET", f"/v1/subscribers/{made['id']}").json
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    assert call("GET", "/v1/subscribers").json == {"items": [shown], "next_cursor": None}
    assert shown["headers"] == ["X-Key"]
    assert "hush" not in call("GET", "/v1/subscribers").text
    assert (shown["enabled"], shown["status"], shown["types"]) == (True, "active", ["initial_sync.completed"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": "ftp://x"}, "url"),
        ({"url": 7}, "url"),
        ({"url": "https://example.com", "types": ["nonsense"]}, "types"),
        ({"url": "https://example.com", "types": "initial_sync.completed"}, "types"),
        ({"url": "https://example.com", "headers": {"Host": "x"}}, "headers"),
        ({"url": "https://example.com", "ordered": "yes"}, "ordered"),
        ({"url": "https://example.com", "rate_per_s": "fast"}, "rate_per_s"),
        ({"url": "https://example.com", "rate_per_s": -1}, "rate_per_s"),
        ({"url": "https://example.com", "rate_per_s": 0.001}, "rate_per_s"),
        ({"url": "https://example.com", "rate_per_s": 10_001}, "rate_per_s"),
        ({"url": "https://example.com", "secret": "whsec_mine"}, "secret"),
    ],
)
def test_what_cannot_be_is_refused_by_name(call: Call, body: Any, field: str) -> None:
    answer = call("POST", "/v1/subscribers", body)
    assert answer.status_code == 422
    assert list(answer.json["errors"]) == [field]


def test_private_addresses_are_refused_unless_allowed(redis_url: str) -> None:
    client = serving(redis_url, API_KEYS=KEY)
    answer = client.post(
        "/v1/subscribers",
        json={"url": "http://169.254.169.254/"},
        headers={"Authorization": f"Bearer {KEY}"},
    )
    assert answer.status_code == 422
    assert "public" in answer.json["errors"]["url"][0]


def test_changes_concern_what_is_named(call: Call) -> None:
    made = add(call, "http://127.0.0.1:9/hook", description="first")
    path = f"/v1/subscribers/{made['id']}"

    changed = call("PATCH", path, {"types": list(NOTIFICATION_TYPES[:2]), "ordered": True}).json
    assert (changed["types"], changed["ordered"], changed["description"]) == (
        list(NOTIFICATION_TYPES[:2]),
        True,
        "first",
    )
    assert changed["rate_per_s"] == 0
    assert call("PATCH", path, {"rate_per_s": 2.5}).json["rate_per_s"] == 2.5
    assert call("PATCH", path, {"rate_per_s": None}).json["rate_per_s"] == 0
    assert call("PATCH", path, {"enabled": False}).json["status"] == "disabled"
    assert call("PATCH", path, {"description": None}).json["enabled"] is False
    assert call("PATCH", path, {"enabled": True}).json["status"] == "active"
    assert call("PATCH", path, {"url": "nonsense"}).status_code == 422
    assert "secret" not in call("GET", path).get_json()


def test_rotation_shows_the_new_secret_and_until_when_the_old_one_signs(call: Call) -> None:
    made = add(call, "http://127.0.0.1:9/hook")
    rotated = call("POST", f"/v1/subscribers/{made['id']}/rotate").json

    assert rotated["secret"] != made["secret"]
    assert rotated["old_secret_until"] == "2026-11-23T15:00:00.000000Z"
    assert made["old_secret_until"] is None


def test_who_is_removed_is_gone_with_what_waited(
    call: Call, service: Service, receiver: MakeReceiver
) -> None:
    heard = receiver(status(500))
    made = add(call, heard.url)
    service.make_ready()
    service.deliver()

    assert call("DELETE", f"/v1/subscribers/{made['id']}").status_code == 204
    assert call("GET", f"/v1/subscribers/{made['id']}").status_code == 404
    assert call("DELETE", f"/v1/subscribers/{made['id']}").status_code == 404
    shown = call("GET", "/v1/notifications").json["items"]
    assert {item["status"] for item in shown} == {"published"}
    assert {item["deliveries"][0]["status"] for item in shown} == {"cancelled"}
    assert call("GET", "/v1/stats").json["lanes"] == []


@pytest.mark.parametrize("path", ["", "/rotate", "/test"])
def test_nobody_under_an_unknown_id(call: Call, path: str) -> None:
    method = "POST" if path else "PATCH"
    assert call(method, f"/v1/subscribers/sub_none{path}", {} if not path else None).status_code == 404


def test_a_test_message_and_what_came_of_it(call: Call, service: Service, receiver: MakeReceiver) -> None:
    heard = receiver(status(418, b"a teapot"))
    made = add(call, heard.url)
    sent = call("POST", f"/v1/subscribers/{made['id']}/test")
    assert sent.status_code == 202
    service.deliver()

    (got,) = heard.received
    assert got.id == sent.json["id"]
    assert b'"type":"subscriber.test"' in got.raw
    tested = call("GET", f"/v1/subscribers/{made['id']}").json["last_test"]
    assert (tested["id"], tested["status_code"], tested["answer"]) == (sent.json["id"], 418, "a teapot")
    assert call("GET", "/v1/notifications").json["items"] == []


def test_a_notification_shows_its_status_and_each_attempt(
    call: Call, service: Service, receiver: MakeReceiver
) -> None:
    heard = receiver()
    heard.answers += [status(500, b"broken"), status(500)]
    made = add(call, heard.url, ordered=True)
    service.make_ready()
    before = call("GET", "/v1/notifications").json["items"]
    assert {item["status"] for item in before} == {"published"}

    service.deliver()
    second, first = call("GET", "/v1/notifications").json["items"]
    assert (first["status"], second["status"]) == ("pending", "pending")
    (delivery,) = first["deliveries"]
    assert (delivery["id"], delivery["channel"], delivery["subscriber_id"]) == (
        made["id"],
        "webhook",
        made["id"],
    )
    (attempt,) = delivery["attempts"]
    assert (attempt["outcome"], attempt["status_code"], attempt["answer"]) == ("failed", 500, "broken")
    assert delivery["next_attempt_at"] > attempt["at"]
    assert second["deliveries"][0]["attempts"] == []
    for wanted, ids in (("pending", [second["id"], first["id"]]), ("delivered", []), ("published", [])):
        listed = call("GET", "/v1/notifications", status=wanted).json["items"]
        assert [item["id"] for item in listed] == ids

    for _ in range(2):
        service.now += timedelta(hours=1)
        service.deliver()
    assert [item["id"] for item in call("GET", "/v1/notifications", status="delivered").json["items"]] == [
        second["id"],
        first["id"],
    ]
    assert heard.ids == [first["id"]] * 3 + [second["id"]]
    mine = call("GET", "/v1/notifications", status="delivered", connection_id="xero").json["items"]
    assert len(mine) == 2


def test_stats_show_the_lanes(call: Call, service: Service, receiver: MakeReceiver) -> None:
    heard = receiver(status(500))
    made = add(call, heard.url)
    service.make_ready()
    service.deliver()

    (lane,) = call("GET", "/v1/stats").json["lanes"]
    assert (lane["id"], lane["channel"], lane["status"], lane["waiting"]) == (
        made["id"],
        "webhook",
        "active",
        2,
    )
    assert lane["failures"] == 2
    assert lane["last_attempt"]["error"] == "answered 500"


def test_redelivering_sends_the_same_notification_again(
    call: Call, service: Service, receiver: MakeReceiver
) -> None:
    heard = receiver()
    made = add(call, heard.url)
    service.make_ready()
    service.deliver()
    id_ = heard.ids[0]

    answer = call("POST", f"/v1/notifications/{id_}/redeliver")
    assert answer.status_code == 202
    assert answer.json == {"id": id_, "notification_id": id_, "status": "pending", "lanes": [made["id"]]}
    assert call("GET", f"/v1/notifications/{id_}").json["status"] == "pending"
    service.deliver()

    assert heard.ids.count(id_) == 2
    (delivery,) = call("GET", f"/v1/notifications/{id_}").json["deliveries"]
    assert [attempt["outcome"] for attempt in delivery["attempts"]] == ["delivered", "delivered"]
    Webhook(made["secret"])


def test_who_gets_it_again_may_stand_in_the_body(
    call: Call, service: Service, receiver: MakeReceiver
) -> None:
    """The body was not looked at, and everybody got it."""
    first, second = (add(call, receiver().url) for _ in range(2))
    service.make_ready()
    service.deliver()
    id_ = call("GET", "/v1/notifications").json["items"][0]["id"]
    path = f"/v1/notifications/{id_}/redeliver"

    assert call("POST", path, {"subscriber_id": first["id"]}).json["lanes"] == [first["id"]]
    assert call("POST", path, {"subscriber_id": first["id"]}, subscriber_id=first["id"]).status_code == 202
    assert set(call("POST", path, {}).json["lanes"]) == {first["id"], second["id"]}
    assert call("POST", path, {"subscriber_id": "sub_none"}).status_code == 404


@pytest.mark.parametrize(
    ("body", "query"),
    [
        ({"subscriber": "sub_1"}, {}),
        ({"subscriber_id": 7}, {}),
        ({"subscriber_id": ""}, {}),
        ({"subscriber_id": "sub_1"}, {"subscriber_id": "sub_2"}),
        (["sub_1"], {}),
    ],
)
def test_a_body_that_says_something_else_is_refused(
    call: Call, service: Service, receiver: MakeReceiver, body: Any, query: Any
) -> None:
    add(call, receiver().url)
    service.make_ready()
    id_ = call("GET", "/v1/notifications").json["items"][0]["id"]

    answer = call("POST", f"/v1/notifications/{id_}/redeliver", body, **query)

    assert answer.status_code == 422
    assert answer.json["errors"]
    assert service.deliver() == 2  # as it was divided, and nothing again


def test_redelivering_needs_somebody(call: Call, service: Service, receiver: MakeReceiver) -> None:
    service.make_ready()
    id_ = call("GET", "/v1/notifications").json["items"][0]["id"]
    path = f"/v1/notifications/{id_}/redeliver"

    assert call("POST", path).status_code == 409
    assert call("POST", path, subscriber_id="sub_none").status_code == 404
    assert call("POST", "/v1/notifications/ntf_none/redeliver").status_code == 404
    made = add(call, receiver().url, enabled=False)
    assert call("POST", path, subscriber_id=made["id"]).status_code == 409


def test_who_came_later_can_be_sent_what_was_before(
    call: Call, service: Service, receiver: MakeReceiver
) -> None:
    service.make_ready()
    service.deliver()
    heard = receiver()
    made = add(call, heard.url)
    for item in call("GET", "/v1/notifications").json["items"]:
        call("POST", f"/v1/notifications/{item['id']}/redeliver", subscriber_id=made["id"])
    service.deliver()

    assert len(set(heard.ids)) == 2
