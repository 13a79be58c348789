"""A connection's page: its states, its facts, what was believed at a time, and what an operator can do."""

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner

from processor.cli import main
from processor.clock import to_iso
from processor.store import keys
from tests.processor.web.conftest import OpenPlace
from tests.processor.web.ops.operating import PASSWORD, Operator, forms
from tests.processor.web.v1.filling import KEY, START, Filling
from tests.support import cells
from tests.support.visiting import Place

PATH = "/ops/connections/xero"


def test_the_states_and_the_facts_are_on_the_page(operator: Operator, filling: Filling) -> None:
    filling.make_ready()
    answer = operator.open(PATH)
    assert '<g class="state now"><rect' in answer.text
    assert answer.text.count('<path class="taken"') == 2
    shown = operator.read(PATH)
    assert "1. pending → to authorized; 2. authorized → to ready." in shown
    facts = shown.partition("as the machine holds them")[2].partition("Notifications and")[0]
    for word in ("created", "linked", "read", "bills: FetchError, invoices: Complete"):
        assert word in facts


def test_the_timeline_is_filtered_by_outcome_on_the_page_by_the_api_and_by_the_command(
    operator: Operator, filling: Filling, redis_url: str
) -> None:
    filling.make_ready()
    filling.read(initial=False, invoices="Complete")
    filling.drain()
    call = filling.app.test_client().get(
        "/v1/connections/xero/timeline?outcome=applied", headers={"Authorization": f"Bearer {KEY}"}
    )
    applied = [entry["event_id"] for entry in call.json["items"]]
    assert applied == ["msg_3", "msg_2", "msg_1"]
    whole = operator.open(PATH).text
    assert "/ops/events/msg_4" in whole.partition('id="timeline"')[2].partition('id="types"')[0]
    shown = operator.open(PATH, outcome="applied").text
    listed = shown.partition('id="timeline"')[2].partition('id="types"')[0]
    assert "/ops/events/msg_4" not in listed
    assert all(f"/ops/events/{id_}" in listed for id_ in applied)
    assert '<option value="applied" selected>' in listed
    assert "with this outcome" in operator.read(PATH, outcome="doubt")
    assert operator.open(PATH, outcome="odd").status_code == 422
    words = ["connections", "show", "xero", "--timeline", "--outcome", "applied", "--json"]
    result = CliRunner(env={"REDIS_URL": redis_url}).invoke(main, words)
    items = json.loads(result.output)["timeline"]["items"]
    assert [entry["event_id"] for entry in items] == applied


def test_the_page_shows_what_was_believed_at_a_time(operator: Operator, filling: Filling) -> None:
    filling.make_ready(in_time=True)
    shown = operator.read(PATH, at="2026-11-22T15:02:30")
    assert shown.startswith("This is what was believed at")
    assert "Xero: authorized" in shown
    assert "Why: pending → authorized" in shown
    assert "initial_sync.completed" not in shown
    assert "connection.authorized" in shown
    assert forms(operator.open(PATH, at="2026-11-22T15:02:30")) == [], "the past cannot be changed"
    assert operator.open(PATH, at="2026-11-22T14:00:00").status_code == 404
    assert operator.open(PATH, at="soon").status_code == 422
    assert "Xero: ready" in operator.read(PATH, at="9999-12-31T23:59:59.999999Z")


def test_each_line_of_the_timeline_leads_to_its_time(operator: Operator, filling: Filling) -> None:
    filling.make_ready(in_time=True)
    answer = operator.open(PATH)
    first = to_iso(START + timedelta(minutes=1)).replace(":", "%3A")
    assert f'href="?at={first}"' in answer.text
    assert "Xero: pending" in operator.open(f"{PATH}?at={first}").text


def test_an_unreadable_connection_still_has_a_page(operator: Operator, filling: Filling) -> None:
    filling.make_ready()
    filling.container.redis.set(
        cells.where(filling.container.redis, keys.connection, "xero"), b"ready\n1\n{garbage"
    )
    assert "unreadable" in operator.read(PATH)
    assert operator.open(PATH, at="2026-11-22T15:02:30").status_code == 409


def test_its_messages_are_replayed(operator: Operator, filling: Filling) -> None:
    filling.make_ready()
    filling.tell("connection.created", "stripe")
    filling.drain()
    answer = operator.send(f"{PATH}/replay", seal=operator.seal())
    assert operator.follow(answer).startswith("3 wait in the inbox again.")
    before = cells.count(filling.container.redis, keys.outbox)
    filling.drain()
    assert "Xero: ready" in operator.read(PATH)
    assert cells.count(filling.container.redis, keys.outbox) == before


def test_it_is_verified(operator: Operator, filling: Filling) -> None:
    filling.make_ready()
    seal = operator.seal()
    said = operator.send(f"{PATH}/verify", seal=seal).text
    assert "Rebuilt from its kept messages, it is the same." in said
    cells.forget_message(filling.container.redis, "msg_2")
    assert "Not compared" in operator.send(f"{PATH}/verify", seal=seal).text


@pytest.mark.parametrize("action", ["link", "unlink", "replay", "verify", "read"])
def test_only_a_form_of_this_browser_acts(operator: Operator, filling: Filling, action: str) -> None:
    filling.make_ready()
    assert operator.send(f"{PATH}/{action}", seal="0" * 64).status_code in (400, 403)


@pytest.fixture
def place(open_place: OpenPlace) -> Place:
    """A service with operators' pages beside a simulated Codat."""
    return open_place(OPERATOR_PASSWORD=PASSWORD)


def test_a_fresh_link_is_shown_and_access_is_ended(place: Place) -> None:
    """Both go to Codat first; the link is on the page and never in an address."""
    company_id, _ = place.company()
    connection_id = place.linked(company_id)
    path = f"/ops/connections/{connection_id}"
    operator = Operator(place)
    seal = forms(operator.open(path))[0].partition('name="seal" value="')[2][:64]
    answer = operator.send(f"{path}/link", seal=seal)
    assert answer.status_code == 200
    assert 'id="link-url" readonly value="http' in answer.text
    assert "Yes, disconnect it" in operator.open(path).text
    answer = operator.send(f"{path}/unlink", seal=seal)
    place.settle()
    said = operator.follow(answer)
    assert said.startswith("Access was ended at Codat.")
    assert "unlinked" in said
    assert "Yes, disconnect it" not in operator.open(path).text
    assert operator.send(f"{path}/unlink", seal=seal).status_code == 409
