"""The pages of messages: bodies, replay, discard."""

import json

import pytest
from redis import Redis

from processor.web.ops import copy
from tests.processor.web.ops.operating import (
    Operator,
    everybody_lives,
    forms,
    text_of,
)
from tests.processor.web.v1.filling import Filling


def test_events_are_listed_by_status_with_their_errors(operator: Operator, filling: Filling) -> None:
    filling.make_ready()
    filling.accept(b"no JSON", "odd")
    filling.let_die()
    everything = operator.read("/ops/events")
    assert all(id_ in everything for id_ in ("msg_1", "odd", "broken"))
    dead = operator.read("/ops/events", status="dead")
    assert "broken" in dead
    assert "msg_1" not in dead
    assert "JSONDecodeError" in dead
    assert "odd" in operator.read("/ops/events", status="quarantined")


def test_a_dead_event_shows_its_traceback_and_its_body(operator: Operator, filling: Filling) -> None:
    filling.let_die()
    shown = operator.read("/ops/events/broken")
    assert "Nothing more happens by itself" in shown
    assert "Traceback (most recent call last)" in shown
    assert "nothing of ours" in shown


def test_the_body_of_an_event_is_pretty_and_escaped(operator: Operator, filling: Filling) -> None:
    event_id = filling.tell("connection.created", said={"platformName": "<b>Xero</b>"})
    answer = operator.open(f"/ops/events/{event_id}")
    assert "&#34;eventType&#34;: &#34;connection.created&#34;" in answer.text
    assert "&lt;b&gt;Xero&lt;/b&gt;" in answer.text
    assert "<b>" not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\x00",
        b'{"a": "\\ud800"}',
        b'{"a": "\\u0000"}',
        b"[" * 5000,
        b'{"a": NaN}',
        b"9" * 5000,
        b"null",
    ],
)
def test_an_odd_body_is_shown_somehow(operator: Operator, filling: Filling, body: bytes) -> None:
    assert operator.open(f"/ops/events/{filling.accept(body)}").status_code == 200


def test_of_a_very_large_body_the_beginning_is_shown(operator: Operator, filling: Filling) -> None:
    event_id = filling.accept(json.dumps({"a": list(range(100_000))}).encode())
    answer = operator.open(f"/ops/events/{event_id}")
    assert "Only the beginning is shown" in answer.text
    assert len(answer.text) < 2 * copy.MAX_BODY_CHARS


def test_a_dead_event_is_replayed(operator: Operator, filling: Filling) -> None:
    filling.let_die()
    text = operator.follow(operator.send("/ops/events/broken"))
    assert text.startswith("It waits in the inbox again")
    assert "pending" in text
    filling.drain()
    assert "failed" in operator.read("/ops/events/broken")


def test_what_is_still_not_understood_is_refused_with_the_reason(
    operator: Operator, filling: Filling
) -> None:
    event_id = filling.accept(b"no JSON")
    answer = operator.send(f"/ops/events/{event_id}")
    assert answer.status_code == 422
    assert "still not understood" in answer.text


def test_a_page_of_dead_events_is_replayed_at_once(operator: Operator, filling: Filling) -> None:
    ids = [filling.let_die(f"broken-{number}") for number in range(3)]
    operator.filling.container.inbox.requeue(ids[0], status="dead", cell=0, only_if=True)
    answer = operator.send("/ops/events?status=dead", status="dead", event_id=[*ids, "none"])
    text = text_of(answer)
    assert "2 replayed, 2 not:" in text
    assert f"{ids[0]} : The event is pending, not dead." in text
    assert "none : There is no event with this id" in text
    counts = filling.container.reader.stats([])["events"]
    assert (counts["pending"], counts["dead"]) == (3, 0)


def test_quarantine_can_be_closed(operator: Operator, filling: Filling, store: Redis) -> None:
    """A message of no use to anybody kept the overview amber for 30 days: nothing could close it.

    It is kept and shown with its reason, ends the condition, and can still be replayed.
    """
    everybody_lives(store)
    ids = [filling.accept(b"no JSON at all", f"odd-{number}") for number in range(3)]
    path = "/ops/events?status=quarantined"
    form = next(form for form in forms(operator.open(path)) if 'value="discard"' in form)
    assert all(f'value="{id_}"' in form for id_ in ids)
    text = operator.follow(operator.send(f"/ops/events/{ids[0]}", action="discard"))
    assert text.startswith("It is discarded")
    answer = operator.send(path, status="quarantined", event_id=[*ids, "none"], action="discard")
    assert "3 discarded, 1 not: none : There is no event" in text_of(answer)
    listed = operator.read("/ops/events", status="discarded")
    assert all(id_ in listed for id_ in ids)
    assert "the body is not JSON" in listed
    assert operator.read("/ops").startswith("All is well")
    assert filling.container.reader.stats([])["events"]["quarantined"] == 0
    assert (
        operator.send("/ops/events", status="processed", action="discard", seal=operator.seal()).status_code
        == 422
    )


def test_events_are_listed_by_company(operator: Operator, filling: Filling) -> None:
    ours = filling.tell("connection.created", company="c1")
    theirs = filling.tell("connection.created", "stripe", company="c2")
    filling.drain()
    shown = operator.read("/ops/events", company_id="c1")
    assert (ours in shown, theirs in shown) == (True, False)
    assert "Only those that name company c1" in shown
    assert "There is none" in operator.read("/ops/events", company_id="c1", status="dead")
    assert ours in operator.read("/ops/events", company_id="c1", status="processed")
    assert operator.open("/ops/events", company_id="c" * 600).status_code == 422
