"""Messages: what became of each, their bodies, and their replay."""

import json
from datetime import timedelta

import pytest
from redis import Redis

from processor.clock import to_iso
from processor.store import keys
from tests.processor.web.v1.conftest import Call, Get
from tests.processor.web.v1.filling import START, Filling
from tests.support import cells

UNKNOWN = b'{"neither": "one nor the other"}'
UNDERSTOOD = json.dumps(
    {
        "id": "1",
        "eventType": "connection.created",
        "generatedDate": START.isoformat(),
        "payload": {"referenceCompany": {"id": "c1"}, "connection": {"id": "late"}},
    }
).encode()


def test_a_message_is_pending_and_then_processed(filling: Filling, get: Get) -> None:
    event_id = filling.tell("connection.created")
    shown = get(f"/v1/events/{event_id}")
    body, raw = shown.pop("body"), shown.pop("raw")
    assert body["payload"]["connection"]["id"] == "xero"
    assert raw is None
    assert shown == {
        "id": "msg_1",
        "event_id": "msg_1",
        "status": "pending",
        "source": "current",
        "type": "connection.created",
        "received_at": to_iso(START + timedelta(minutes=1)),
        "processed_at": None,
        "company_id": "c1",
        "connection_ids": ["xero"],
        "attempts": 0,
        "next_attempt_at": None,
        "error": None,
        "duplicates": 0,
    }
    assert get("/v1/events", status="pending")["items"] == [shown]
    filling.drain()
    processed = {**shown, "status": "processed", "processed_at": to_iso(filling.now)}
    assert get("/v1/events")["items"] == get("/v1/events", status="processed")["items"] == [processed]
    assert get("/v1/events", status="pending")["items"] == []


def test_duplicates_are_counted(filling: Filling, get: Get) -> None:
    filling.accept(UNDERSTOOD, "once")
    filling.accept(UNDERSTOOD, "once")
    filling.accept(UNDERSTOOD, "once")
    assert get("/v1/events/once")["duplicates"] == 2


def test_a_message_whose_handling_raised_says_why_and_when_it_is_tried_again(
    filling: Filling, get: Get
) -> None:
    filling.accept_broken()
    filling.drain()
    shown = get("/v1/events/broken")
    assert (shown["status"], shown["attempts"]) == ("failed", 1)
    assert "Traceback" in shown["error"]
    assert shown["next_attempt_at"] == to_iso(filling.now + timedelta(seconds=5))
    assert (shown["body"], shown["raw"]) == (None, "nothing of ours")


def test_a_message_that_failed_to_the_last_is_dead(filling: Filling, get: Get) -> None:
    filling.let_die()
    shown = get("/v1/events", status="dead")["items"]
    assert [(event["id"], event["attempts"], event["next_attempt_at"]) for event in shown] == [
        ("broken", 7, None)
    ]
    assert get("/v1/events", status="failed")["items"] == []


@pytest.mark.parametrize(
    ("body", "raw"),
    [
        (b"plain text", "plain text"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"", ""),
        (b'{"eventType": NaN', '{"eventType": NaN'),
        (b'{"a": NaN}', '{"a": NaN}'),
        (b'{"a": -Infinity}', '{"a": -Infinity}'),
        (b'{"a": 1e999}', '{"a": 1e999}'),
        (b'{"a": ' + b"9" * 5000 + b"}", '{"a": ' + "9" * 5000 + "}"),
        (b"[" * 5000 + b"]" * 5000, "[" * 5000 + "]" * 5000),
    ],
)
def test_a_body_that_is_not_json_is_shown_as_text(filling: Filling, get: Get, body: bytes, raw: str) -> None:
    shown = get(f"/v1/events/{filling.accept(body)}")
    assert (shown["body"], shown["raw"]) == (None, raw)
    assert shown["status"] == "quarantined"
    assert shown["error"]


@pytest.mark.parametrize(
    ("body", "parsed"),
    [
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'{"a": "\\ud800"}', {"a": "\ud800"}),
        (b'{"z": 1, "a": "\\u0000"}', {"z": 1, "a": "\x00"}),
        (b"null", None),
        (b"[]", []),
    ],
)
def test_a_body_that_is_json_is_shown_as_it_is(
    filling: Filling, get: Get, body: bytes, parsed: object
) -> None:
    shown = get(f"/v1/events/{filling.accept(body)}")
    assert (shown["body"], shown["raw"]) == (parsed, None)


def test_events_are_paged_newest_first(filling: Filling, get: Get) -> None:
    ids = [filling.tell("connection.created", f"n{number}") for number in range(5)]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = get("/v1/events", limit=2, **cursor)
        seen += [event["id"] for event in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == ids[::-1]


def test_a_list_by_status_holds_nothing_of_another_status(filling: Filling, get: Get, redis_url: str) -> None:
    """An index may lag behind, as when a quarantined message came again and was understood."""
    ids = [filling.tell("connection.created", f"n{number}") for number in range(4)]
    filling.drain()
    with Redis.from_url(redis_url) as client:
        client.zadd(keys.events_of(0, "dead"), {ids[3]: 4, ids[2]: 3})
    filling.let_die()
    page = get("/v1/events", status="dead", limit=1)
    assert [event["id"] for event in page["items"]] == ["broken"]


# Replay


def test_a_processed_message_may_be_replayed_and_changes_nothing(
    filling: Filling, get: Get, call: Call
) -> None:
    filling.make_ready()
    before = get("/v1/connections/xero")
    answer = call("/v1/events/msg_2/replay", "POST")
    assert answer.status_code == 202
    assert answer.json == {"event_id": "msg_2", "status": "pending"}
    assert [event["id"] for event in get("/v1/events", status="pending")["items"]] == ["msg_2"]
    filling.drain()
    assert get("/v1/connections/xero") == before
    assert len(get("/v1/notifications")["items"]) == 2
    assert get("/v1/events/msg_2")["status"] == "processed"
    assert get("/v1/connections/xero/timeline")["items"][0]["outcome"] == "twin"


def test_a_dead_letter_may_be_replayed(filling: Filling, get: Get, call: Call, redis_url: str) -> None:
    filling.let_die()
    with Redis.from_url(redis_url) as client:
        cells.change_message(client, "broken", UNDERSTOOD, source="current")
    assert call("/v1/events/broken/replay", "POST").status_code == 202
    filling.drain()
    shown = get("/v1/events/broken")
    assert (shown["status"], shown["error"]) == ("processed", None)
    assert get("/v1/events", status="dead")["items"] == []
    assert get("/v1/stats")["dead_letters"] == 0


def test_a_failed_message_that_is_replayed_is_not_tried_again_by_itself(
    filling: Filling, call: Call, redis_url: str
) -> None:
    filling.accept_broken()
    filling.drain()
    assert call("/v1/events/broken/replay", "POST").status_code == 202
    with Redis.from_url(redis_url) as client:
        assert cells.count(client, keys.retries) == 0


def test_a_pending_message_may_be_replayed(filling: Filling, get: Get, call: Call) -> None:
    event_id = filling.tell("connection.created")
    assert call(f"/v1/events/{event_id}/replay", "POST").status_code == 202
    filling.drain()
    assert get("/v1/stats")["inbox"]["depth"] == 0
    assert len(get("/v1/connections/xero/timeline")["items"]) == 1


def test_a_quarantined_message_that_is_still_not_understood_is_422(
    filling: Filling, get: Get, call: Call
) -> None:
    event_id = filling.accept(UNKNOWN)
    answer = call(f"/v1/events/{event_id}/replay", "POST")
    assert answer.status_code == 422
    assert answer.json
    assert answer.json["event_id"] == event_id
    assert "still not understood" in answer.json["detail"]
    assert get(f"/v1/events/{event_id}")["status"] == "quarantined"


def test_a_quarantined_message_that_is_understood_now_is_handled(
    filling: Filling, get: Get, call: Call, redis_url: str
) -> None:
    event_id = filling.accept(UNKNOWN)
    with Redis.from_url(redis_url) as client:
        cells.change_message(client, event_id, UNDERSTOOD)  # we learnt to read it, as it were
    filling.now += timedelta(hours=1)
    assert call(f"/v1/events/{event_id}/replay", "POST").status_code == 202
    shown = get(f"/v1/events/{event_id}")
    assert (shown["status"], shown["source"], shown["type"]) == ("pending", "current", "connection.created")
    assert (shown["company_id"], shown["connection_ids"], shown["error"]) == ("c1", ["late"], None)
    assert shown["received_at"] == to_iso(START)
    assert get("/v1/events", status="quarantined")["items"] == []
    filling.drain()
    assert get("/v1/connections/late")["state"] == "pending"
    filling.accept(UNDERSTOOD, event_id)
    assert get(f"/v1/events/{event_id}")["duplicates"] == 1
    assert get(f"/v1/events/{event_id}")["status"] == "processed"


def test_a_replay_goes_to_the_cell_of_its_company_and_wakes_it(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("processor.store.inbox.WAKE_MS", 600_000)  # the flag outlasts a busy machine
    filling = Filling(redis_url)
    event_id = filling.tell("connection.created", company="a company")
    filling.drain()
    headers = {"Authorization": "Bearer key-of-a-caller"}
    answer = filling.app.test_client().post(f"/v1/events/{event_id}/replay", headers=headers)
    assert answer.status_code == 202
    cell = keys.cell_of("a company")
    with Redis.from_url(redis_url) as client:
        assert client.xlen(keys.replays(cell)) == 1
        assert client.exists(keys.wake(cell))
    assert filling.container.waker.queue_length("drain") == 1
    filling.close()


def test_replaying_what_is_not_kept_is_404(call: Call) -> None:
    answer = call("/v1/events/none/replay", "POST")
    assert answer.status_code == 404
    assert answer.json
    assert answer.json["event_id"] == "none"


def test_reading_the_address_of_a_replay_is_405(call: Call) -> None:
    assert call("/v1/events/none/replay").status_code == 405


def test_messages_are_found_by_company(filling: Filling, get: Get, call: Call) -> None:
    """`company_id` was 422 in the API, though the operators' pages could ask by it."""
    filling.make_ready("xero", company="c1")
    filling.make_ready("stripe", company="c2")
    pending = filling.tell("connection.created", "stripe", company="c2")

    mine = get("/v1/events", company_id="c2")["items"]
    assert {item["company_id"] for item in mine} == {"c2"}
    assert len(mine) == 4
    assert [item["id"] for item in get("/v1/events", company_id="c2", status="pending")["items"]] == [pending]
    assert get("/v1/events", company_id="nobody")["items"] == []
    assert call("/v1/events", company="c2").status_code == 422


# Discarding


def test_a_quarantined_message_is_discarded_once_and_kept(filling: Filling, get: Get, call: Call) -> None:
    """Quarantine could only be replayed, so what will never be understood was counted for 30 days."""
    filling.accept(UNKNOWN, "odd")
    for _ in range(2):
        answer = call("/v1/events/odd/discard", "POST")
        assert (answer.status_code, answer.json) == (200, {"event_id": "odd", "status": "discarded"})
    shown = get("/v1/events/odd")
    assert (shown["status"], shown["body"]) == ("discarded", json.loads(UNKNOWN))
    assert shown["error"]
    assert get("/v1/stats")["events"] | {"quarantined": 0, "discarded": 1} == get("/v1/stats")["events"]
    filling.accept(UNKNOWN, "odd")
    assert get("/v1/events/odd")["status"] == "discarded", "coming again opens nothing"
    assert call("/v1/events/odd/replay", "POST").status_code == 422


@pytest.mark.parametrize("status", ["pending", "processed", "failed"])
def test_what_goes_on_by_itself_is_not_discarded(filling: Filling, get: Get, call: Call, status: str) -> None:
    event_id = filling.accept_broken() if status == "failed" else filling.tell("connection.created")
    if status != "pending":
        filling.drain()
    answer = call(f"/v1/events/{event_id}/discard", "POST")
    assert answer.status_code == 409
    assert get(f"/v1/events/{event_id}")["status"] == status
    assert call("/v1/events/none/discard", "POST").status_code == 404


def test_a_discarded_message_can_still_be_replayed(filling: Filling, get: Get, call: Call) -> None:
    """Both kinds: a dead letter, and one that an update understands since."""
    filling.let_die("dead")
    filling.container.inbox.quarantine("late", UNDERSTOOD, filling.now, "not understood yet")
    for event_id in ("dead", "late"):
        assert call(f"/v1/events/{event_id}/discard", "POST").status_code == 200
        assert call(f"/v1/events/{event_id}/replay", "POST").status_code == 202
    filling.drain()
    assert get("/v1/events/late")["status"] == "processed"
    assert get("/v1/events/dead")["status"] == "failed"
    assert get("/v1/events", status="discarded")["items"] == []


def test_a_discarded_message_that_comes_again_and_is_understood_by_now_is_handled(
    filling: Filling, get: Get, call: Call
) -> None:
    filling.container.inbox.quarantine("late", UNDERSTOOD, filling.now, "not understood yet")
    assert call("/v1/events/late/discard", "POST").status_code == 200
    filling.accept(UNDERSTOOD, "late")
    filling.drain()
    shown = get("/v1/events/late")
    assert (shown["status"], shown["error"]) == ("processed", None)
    assert get("/v1/events", status="discarded")["items"] == []
