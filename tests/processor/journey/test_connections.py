"""Connections: Codat first, then here; what Codat refuses changes nothing here."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from redis import Redis

from handlers.events import LinkStatus
from processor.codat.errors import CodatNotFound, CodatUncertain
from processor.errors import CodatError, Conflict, Invalid, NotFound
from processor.journey.errors import AlreadyConnected, CodatNotSet
from processor.journey.platforms import MISS_FRESH_FOR
from processor.simulator import SimulatorServer
from processor.store import keys
from tests.processor.journey.conftest import CodatClock
from tests.support import cells, messages
from tests.support.journeying import Desk


@pytest.fixture
def company_id(desk: Desk) -> Any:
    return desk.company()


@pytest.fixture
def look(client: Redis, drain: Callable[[], None]) -> Any:
    """Has Codat asked about a connection now, without the pause that keeps people from doing so too often."""

    def look(desk: Desk, company_id: str, connection_id: str) -> None:
        client.delete(keys.asked_again(company_id))
        assert desk.journey.queue_questions(company_id, connection_id)
        drain()

    return look


@pytest.fixture
def linked(
    desk: Desk,
    codat: SimulatorServer,
    codat_clock: CodatClock,
    drain: Callable[[], None],
    look: Any,
    company_id: str,
) -> Any:
    """A connection to Xero that was authorised more than a minute ago."""
    started = desk.journey.connect(company_id, "gbol")
    drain()
    codat.simulation.change(started.connection_id, "authorize", {})
    look(desk, company_id, started.connection_id)
    desk.client.delete(keys.asked_again(company_id))
    assert state(desk, started.connection_id) == "authorized"
    codat_clock.forward(70)
    return started.connection_id


def state(desk: Desk, connection_id: str) -> Any:
    stored = desk.reader.connection(connection_id)
    return stored and stored.state


def status(codat: SimulatorServer, connection_id: str) -> Any:
    with codat.simulation.lock:
        return codat.simulation.world.find_connection(connection_id).status.value


def timeline(desk: Desk, connection_id: str) -> Any:
    return desk.reader.timeline(connection_id, limit=50, cursor=None).items


def kept(client: Redis) -> Any:
    """Everything that says what we know of connections and companies."""
    names = [
        name
        for cell in keys.cells()
        for kind in (keys.connection, keys.timeline)
        for name in client.scan_iter(kind(cell, "*"))
    ]
    return {name: client.dump(name) for name in names}, cells.count(client, keys.events)


def test_a_chosen_platform_is_pending_at_once_and_has_a_link(
    desk: Desk, codat: SimulatorServer, drain: Callable[[], None], company_id: str
) -> None:
    started = desk.journey.connect(company_id, "gbol")
    drain()
    assert (started.status, started.platform_name, started.created) == ("PendingAuth", "Xero", True)
    assert started.link_url.startswith(f"{codat.url}/link/{started.connection_id}?otp=")
    shown = desk.journey.connection(started.connection_id)
    assert (shown["state"], shown["merchant_id"], shown["source_type"]) == ("pending", "m-1", "Accounting")
    (entry,) = timeline(desk, started.connection_id)
    assert (entry["source"], entry["outcome"], entry["to"]) == ("journey", "applied", "pending")


def test_parameters_are_added_to_the_link_that_has_some(desk: Desk, company_id: str) -> None:
    started = desk.journey.connect(company_id, "gbol", parameters={"customer": "ü&1"})
    query = parse_qs(urlsplit(started.link_url).query)
    assert query["customer"] == ["ü&1"]
    assert query["otp"]


def test_the_pending_connection_to_a_platform_is_used_again_with_a_fresh_link(
    desk: Desk, drain: Callable[[], None], company_id: str
) -> None:
    first = desk.journey.connect(company_id, "gbol")
    drain()
    second = desk.journey.connect(company_id, "gbol")
    drain()
    assert (second.connection_id, second.created) == (first.connection_id, False)
    assert second.link_url != first.link_url
    assert len(timeline(desk, first.connection_id)) == 1
    assert desk.journey.connect(company_id, "qhyg").connection_id != first.connection_id


def test_two_clicks_at_once_make_one_connection(open_desk: Callable[..., Desk], company_id: str) -> None:
    desks = [open_desk(lock_wait_s=60.0), open_desk(lock_wait_s=60.0)]
    gate = threading.Barrier(6)

    def click(number: Any) -> Any:
        gate.wait()
        return desks[number % 2].journey.connect(company_id, "gbol").connection_id

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(click, range(6)))) == 1


def test_a_second_active_accounting_connection_is_refused_by_name(
    desk: Desk, linked: str, company_id: str
) -> None:
    with pytest.raises(AlreadyConnected) as caught:
        desk.journey.connect(company_id, "qhyg")
    assert caught.value.status == 409
    assert "Xero" in caught.value.detail
    assert linked in caught.value.detail
    assert caught.value.problem()["connection_id"] == linked
    assert desk.journey.connect(company_id, "strp").platform_name == "Stripe"


def test_after_disconnecting_another_accounting_platform_may_follow(
    desk: Desk, codat: SimulatorServer, drain: Callable[[], None], linked: str, company_id: str
) -> None:
    desk.journey.unlink(linked)
    drain()
    second = desk.journey.connect(company_id, "qhyg").connection_id
    codat.simulation.change(second, "authorize", {})
    with pytest.raises(AlreadyConnected, match="QuickBooks Online"):
        desk.journey.link(linked)


@pytest.mark.parametrize("key", ["", "nope", "exon", "x" * 51, "gbol ", "\ud800"])
def test_a_platform_that_there_is_not_is_refused_by_field(desk: Desk, company_id: str, key: str) -> None:
    with pytest.raises(Invalid) as caught:
        desk.journey.connect(company_id, key)
    assert list(caught.value.errors) == ["platform_key"]
    assert not desk.wire.asked("POST", "/connections")


def test_a_platform_that_was_enabled_since_the_list_was_read_is_found(
    desk: Desk, company_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr("processor.simulator.api.PLATFORMS", ())
        assert desk.journey.offers.enabled() == []
    with pytest.raises(Invalid):
        desk.journey.connect(company_id, "gbol")
    desk.later = MISS_FRESH_FOR + timedelta(seconds=1)
    assert desk.journey.connect(company_id, "gbol").platform_name == "Xero"


def test_a_fresh_link_resumes_what_is_pending_and_reconnects_what_ended(
    desk: Desk, codat: SimulatorServer, drain: Callable[[], None], company_id: str
) -> None:
    first = desk.journey.connect(company_id, "gbol")
    drain()
    resumed = desk.journey.link(first.connection_id, parameters={"from": "mail"})
    assert resumed.link_url != first.link_url
    assert resumed.link_url.endswith("&from=mail")
    codat.simulation.change(first.connection_id, "authorize", {})
    codat.simulation.change(first.connection_id, "deauthorize", {})
    again = desk.journey.link(first.connection_id, company_id=company_id)
    assert (again.status, again.connection_id) == ("Deauthorized", first.connection_id)


def test_disconnecting_ends_access_at_codat_then_here(
    desk: Desk, codat: SimulatorServer, drain: Callable[[], None], linked: str
) -> None:
    done = desk.journey.unlink(linked)
    assert status(codat, linked) == "Unlinked"
    drain()
    assert state(desk, linked) == "unlinked"
    (entry,) = [item for item in timeline(desk, linked) if item["event_id"] == done.event_id]
    assert (entry["source"], entry["event_type"]) == ("journey", "journey.connection.unlinked")
    assert (entry["from"], entry["to"]) == ("authorized", "unlinked")


def test_disconnecting_within_the_second_of_authorising_still_ends_it(
    desk: Desk, codat: SimulatorServer, drain: Callable[[], None], company_id: str
) -> None:
    """Codat's Date is cut off at the second: the end would lie before the beginning, which is exact."""
    started = desk.journey.connect(company_id, "gbol")
    drain()
    codat.simulation.change(started.connection_id, "authorize", {})
    at = desk.clock().replace(microsecond=999_000)
    linked = messages.connected(company_id, started.connection_id, at=at)
    desk.inbox.accept(messages.understood(linked, received_at=at), linked)
    drain()
    assert state(desk, started.connection_id) == "authorized"
    desk.journey.unlink(started.connection_id)
    drain()
    assert state(desk, started.connection_id) == "unlinked"


@pytest.mark.parametrize("before", ["pending", "unlinked", "deauthorized"])
def test_only_a_linked_one_can_be_disconnected(
    desk: Desk, codat: SimulatorServer, client: Redis, drain: Callable[[], None], company_id: str, before: str
) -> None:
    connection_id = desk.journey.connect(company_id, "gbol").connection_id
    drain()
    if before != "pending":
        codat.simulation.change(connection_id, "authorize", {})
        codat.simulation.change(connection_id, "unlink" if before == "unlinked" else "deauthorize", {})
    drain()
    known = kept(client)
    with pytest.raises(Conflict):
        desk.journey.unlink(connection_id)
    assert not desk.wire.asked("PATCH", connection_id)
    assert kept(client) == known
    drain()
    assert state(desk, connection_id) == before  # Codat was asked, and what it said is known now


@pytest.mark.parametrize("fault", [401, 402, 403, 404, 409, 429, 500, 503])
@pytest.mark.parametrize(("method", "act"), [("PATCH", "unlink"), ("DELETE", "delete")])
def test_what_codat_refuses_is_told_with_its_id_and_nothing_changes_here(
    desk: Desk,
    codat: SimulatorServer,
    client: Redis,
    drain: Callable[[], None],
    linked: str,
    fault: int,
    method: str,
    act: str,
) -> None:
    known = kept(client)
    codat.simulation.faults.plan({"method": method, "status": fault})
    with pytest.raises(CodatError) as caught:
        getattr(desk.journey, act)(linked)
    assert caught.value.correlation_id
    assert len(desk.wire.asked(method, linked)) == 1
    assert kept(client) == known
    drain()
    assert state(desk, linked) == "authorized"


@pytest.mark.parametrize("act", ["unlink", "delete"])
def test_where_the_answer_is_lost_codat_is_asked_what_became_of_it(
    open_desk: Callable[..., Desk], codat: SimulatorServer, look: Any, linked: str, company_id: str, act: str
) -> None:
    """The change was made, but its answer never came: a look at Codat tells."""
    desk = open_desk(timeout_s=2.0)
    method = {"unlink": "PATCH", "delete": "DELETE"}[act]
    codat.simulation.faults.plan({"method": method, "hang_s": 600.0})
    with pytest.raises(CodatUncertain):
        getattr(desk.journey, act)(linked)
    assert cells.count(desk.client, keys.questions)
    with codat.simulation.lock:
        connection = codat.simulation.world.find_connection(linked)
    codat.simulation.faults.stopping.set()  # now it goes on
    pause = threading.Event()
    while connection.status.value == "Linked" and not connection.deleted:
        pause.wait(0.02)
    look(desk, company_id, linked)
    assert state(desk, linked) == {"unlink": "unlinked", "delete": "deleted"}[act]


def test_deleting_is_for_good_at_codat_then_here(
    desk: Desk, drain: Callable[[], None], linked: str, company_id: str
) -> None:
    desk.journey.delete(linked, company_id=company_id)
    drain()
    assert state(desk, linked) == "deleted"
    assert desk.journey.connections(company_id) == []
    assert desk.journey.connection(linked)["state"] == "deleted"
    for act in (desk.journey.delete, desk.journey.unlink, desk.journey.link):
        with pytest.raises(NotFound):
            act(linked)


def test_deleting_a_company_deletes_all_that_it_has(
    desk: Desk, drain: Callable[[], None], linked: str, company_id: str
) -> None:
    desk.journey.delete_company(company_id)
    drain()
    assert state(desk, linked) == "deleted"
    for act in (desk.journey.company, desk.journey.sync):
        with pytest.raises(NotFound):
            act(company_id)
    before = len(desk.wire.requests)
    assert desk.journey.delete_company(company_id) is None, "it is deleted already"
    assert len(desk.wire.requests) == before


def test_what_codat_lost_meanwhile_is_told_and_found_out(
    desk: Desk, codat: SimulatorServer, drain: Callable[[], None], linked: str
) -> None:
    codat.simulation.world.delete_connection(linked)
    with pytest.raises(CodatNotFound) as caught:
        desk.journey.link(linked)
    assert caught.value.correlation_id
    drain()
    assert state(desk, linked) == "deleted"


def test_no_other_companys_connection_is_ever_reached(desk: Desk, linked: str) -> None:
    other = desk.company("m-2")
    before = len(desk.wire.requests)
    for act in (desk.journey.unlink, desk.journey.delete, desk.journey.link, desk.journey.connection):
        with pytest.raises(NotFound):
            act(linked, company_id=other)
    assert not desk.journey.queue_questions(other, linked)
    assert desk.journey.connections(other) == []
    assert len(desk.wire.requests) == before


def test_unknown_ids_are_not_found(desk: Desk) -> None:
    for act in (desk.journey.unlink, desk.journey.delete, desk.journey.link, desk.journey.connection):
        with pytest.raises(NotFound):
            act("nothing")
    for act_on_company in (desk.journey.sync, desk.journey.company, desk.journey.delete_company):
        with pytest.raises(NotFound):
            act_on_company("nothing")
    assert desk.wire.requests == []


def test_without_an_api_key_changes_say_why_they_cannot_be_made(
    open_desk: Callable[..., Desk], linked: str, company_id: str
) -> None:
    desk = open_desk(api_key=None)
    for act in (desk.journey.unlink, desk.journey.delete, desk.journey.link):
        with pytest.raises(CodatNotSet):
            act(linked)
    with pytest.raises(CodatNotSet):
        desk.journey.connect(company_id, "gbol")
    with pytest.raises(CodatNotSet):
        desk.journey.delete_company(company_id)
    assert desk.journey.connections(company_id)[0]["state"] == "authorized"
    assert not desk.journey.queue_questions(company_id)


def test_a_connection_that_codat_links_at_once_is_known_as_linked(
    desk: Desk, codat: SimulatorServer, drain: Callable[[], None], company_id: str
) -> None:
    """As with platforms that need nobody's consent."""
    real = desk.http.create_connection

    def create(company: Any, key: Any) -> Any:
        answer = real(company, key)
        codat.simulation.change(answer.id, "authorize", {})
        return desk.http.get_connection(company, answer.id)

    desk.journey._connections._codat = type(
        "Instant",
        (),
        {"create_connection": staticmethod(create), "list_connections": desk.http.list_connections},
    )()
    started = desk.journey.connect(company_id, "upld")
    drain()
    assert started.status == LinkStatus.LINKED
    assert state(desk, started.connection_id) == "authorized"


def test_a_connection_whose_answer_was_lost_is_looked_for_and_not_sent_again(
    desk: Desk, codat: SimulatorServer, drain: Callable[[], None], company_id: str
) -> None:
    """Codat made the connection and its answer was lost: the merchant read of a failure."""
    path = f"/companies/{company_id}/connections"
    codat.simulation.faults.plan({"method": "POST", "path": path, "broken_json": True})
    started = desk.journey.connect(company_id, "gbol")
    drain()
    assert started.created
    assert started.link_url
    assert state(desk, started.connection_id) == "pending"
    assert len(desk.wire.asked("POST", path)) == 1
    assert desk.journey.connect(company_id, "gbol").connection_id == started.connection_id
    assert len(desk.wire.asked("POST", path)) == 1


def test_a_connection_that_codat_did_not_make_is_reported_as_uncertain(
    desk: Desk, codat: SimulatorServer, company_id: str
) -> None:
    """Without an answer, and with nothing to be seen at Codat, nobody knows: it is not sent again."""
    path = f"/companies/{company_id}/connections"
    codat.simulation.faults.plan({"method": "POST", "path": path, "status": 500})
    with pytest.raises(CodatUncertain):
        desk.journey.connect(company_id, "gbol")
    assert len(desk.wire.asked("POST", path)) == 1
    assert desk.journey.connect(company_id, "gbol").created
