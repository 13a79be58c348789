"""The pages of connections and companies."""

from typing import Any

from redis import Redis

from processor.clock import from_iso, to_ms
from processor.store import keys
from processor.store.records import REMINDERS_OFF_AT
from tests.processor.web.ops.operating import (
    Operator,
    forms,
    text_of,
)
from tests.processor.web.v1.filling import CANCELLED, Filling


def test_a_connection_shows_why_it_is_in_its_state(operator: Operator, filling: Filling) -> None:
    filling.make_ready()
    answer = operator.open("/ops/connections/xero")
    shown = text_of(answer)
    assert shown.startswith("Xero: ready")
    assert "Why: authorized → ready" in shown
    assert "read.completed.initial" in shown
    assert "bills FetchError" in shown
    assert 'href="/ops/events/msg_3"' in answer.text
    assert 'href="/ops/companies/c1"' in answer.text
    assert "initial_sync.completed" in shown
    assert "connection.authorized" in shown


def test_a_failed_attempt_shows_what_codat_said(operator: Operator, filling: Filling) -> None:
    filling.tell("connection.created")
    filling.tell("connection.failed", said={"dataConnectionErrors": [CANCELLED]})
    filling.drain()
    shown = operator.read("/ops/connections/xero")
    assert shown.startswith("Xero: authorization_failed")
    assert "Codat said: 403 · User cancelled linking · User cancelled" in shown


def test_a_long_timeline_is_paged(operator: Operator, filling: Filling) -> None:
    for _ in range(4):
        filling.tell("connection.created")
    filling.drain()
    first = operator.open("/ops/connections/xero", limit="3")
    assert text_of(first).count("connection.created") == 3
    assert "Older" in first.text
    cursor = first.text.partition("cursor=")[2].partition('"')[0]
    second = operator.read("/ops/connections/xero", limit="3", cursor=cursor)
    assert second.count("event msg_") == 1


def test_connections_are_listed_by_state_and_paged(operator: Operator, filling: Filling) -> None:
    for number in range(3):
        filling.tell("connection.created", f"n{number}")
    filling.make_ready()
    assert "xero ready" in operator.read("/ops/connections").replace("Connection ", "").replace("State ", "")
    pending = operator.open("/ops/connections", state="pending", limit="2")
    assert [name in pending.text for name in ("/n0", "/n1", "/n2", "/xero")] == [False, True, True, False]
    cursor = pending.text.partition("cursor=")[2].partition('"')[0].partition("&")[0]
    rest = operator.open("/ops/connections", state="pending", limit="2", cursor=cursor)
    assert [name in rest.text for name in ("/n0", "/n1", "/n2")] == [True, False, False]
    assert "There is none" in operator.read("/ops/connections", state="deleted")
    assert "There is none" in operator.read("/ops/connections", merchant_id="nobody")


def test_a_company_shows_its_connections_and_makes_a_link(
    operator: Operator, filling: Filling, store: Redis
) -> None:
    filling.make_ready()
    store.hset(keys.company("c1"), "contact_email", "owner@shop.example")
    shown = operator.read("/ops/companies/c1")
    assert shown.startswith("Toft störes")
    assert "owner@shop.example" in shown
    assert "Tag region uk" in shown
    assert "xero" in shown
    assert "Messages, newest first" in shown
    assert "msg_3 processed read.completed.initial" in shown
    assert "/connect/" not in operator.open("/ops/companies/c1").text
    answer = operator.send("/ops/companies/c1")
    assert answer.status_code == 200
    link = answer.text.partition('readonly value="')[2].partition('"')[0]
    path = "/connect/" + link.partition("/connect/")[2]
    page = filling.app.test_client().get(path)
    assert page.status_code != 404
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_deleted_company_says_so_and_gives_no_link(operator: Operator, filling: Filling) -> None:
    filling.make_ready()
    filling.tell("company.deleted")
    filling.drain()
    answer = operator.open("/ops/companies/c1")
    assert "Deleted at Codat" in answer.text
    assert forms(answer) == []


def test_a_company_shows_its_people_and_its_reminders(
    operator: Operator, filling: Filling, store: "Redis[Any]"
) -> None:
    filling.make_ready()
    page = operator.read("/ops/companies/c1")
    assert "People with a link" not in page
    person, _ = filling.container.journey.people.add("c1", "ann@books.example", "Ann <b>")
    about = "2026-11-22T15:00:00Z"
    store.hset(keys.reminded("c1"), "reminder.access_lost xero", about)
    store.zadd(keys.reminders(keys.cell_of("c1")), {"c1": to_ms(from_iso("2026-12-01T08:00:00Z"))})
    page = operator.read("/ops/companies/c1")
    for text in ("Ann <b>", "ann@books.example", person["id"], "reminder.access_lost about xero"):
        assert text in page
    assert "<b>" not in operator.open("/ops/companies/c1").text
    assert "next ones are decided 1 Dec 2026, 08:00:00 UTC" in page
    store.hset(keys.company("c1"), REMINDERS_OFF_AT, about)
    assert "asked for no more" in operator.read("/ops/companies/c1")
