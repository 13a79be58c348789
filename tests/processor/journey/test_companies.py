"""One company at Codat for each merchant: repeated, raced for, and when Codat's answer is lost."""

import json
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from processor.codat.errors import CodatUncertain
from processor.errors import CodatError, CodatRateLimited, Invalid, NotFound
from processor.journey.companies import LOST_ANSWER_CHECKS_S
from processor.journey.errors import CodatNotSet, ProductsRefused
from processor.journey.events import JourneyEvents
from processor.simulator import SimulatorConfig, SimulatorServer
from processor.store import keys
from tests.support import messages
from tests.support.journeying import CODAT_KEY, Desk
from tests.support.workbench import Workbench


def at_codat(codat: SimulatorServer, merchant_id: str = "m-1") -> Any:
    with codat.simulation.lock:
        return [
            company
            for company in codat.simulation.world.companies()
            if company.tags.get("merchantId") == merchant_id
        ]


def test_a_company_is_made_at_codat_with_the_merchants_id_as_tag(desk: Desk, codat: SimulatorServer) -> None:
    view, made = desk.journey.sign_up(
        merchant_id="acme_1", contact_email="ann@acme.example", tags={"region": "uk"}
    )
    (company,) = at_codat(codat, "acme_1")
    assert made
    assert (company.name, company.tags) == ("acme-1", {"region": "uk", "merchantId": "acme_1"})
    assert (view.company_id, view.merchant_id, view.name) == (company.id, "acme_1", "acme-1")
    assert view.contact_email == "ann@acme.example"
    assert desk.journey.tokens.claims(view.connect_url.rpartition("/connect/")[2]).company_id == company.id
    row = desk.reader.company(company.id)
    assert json.loads(row["tags"]) == company.tags
    assert row["first_heard"]
    assert desk.reader.current_company_id("acme_1") == company.id


def test_the_contact_stays_here(desk: Desk) -> None:
    desk.journey.sign_up(merchant_id="m-1", contact_email="ann@acme.example")
    assert desk.wire.requests
    assert not any(b"ann@" in request.content + str(request.url).encode() for request in desk.wire.requests)


def test_the_name_is_kept_as_it_was_given_and_codat_gets_what_it_takes(
    desk: Desk, codat: SimulatorServer
) -> None:
    """The pages named a shop "Company" because Codat takes no other alphabet than ours."""
    view, _ = desk.journey.sign_up(merchant_id="m-1", name="متجر الزاوية")
    assert (view.display_name, view.name) == ("متجر الزاوية", "m-1")
    assert [item.name for item in at_codat(codat)] == ["m-1"]
    assert desk.journey.company(view.company_id).display_name == "متجر الزاوية"
    again, _ = desk.journey.sign_up(merchant_id="m-1")
    assert again.display_name == "متجر الزاوية", "who does not name it does not rename it"
    renamed, _ = desk.journey.sign_up(merchant_id="m-1", name="Угловой магазин")
    assert (renamed.display_name, renamed.name) == ("Угловой магазин", "m-1")
    unnamed, _ = desk.journey.sign_up(merchant_id="m_2")
    assert (unnamed.display_name, unnamed.given_name) == ("m-2", None)


def test_repeated_it_is_the_same_company_and_codat_is_not_asked(desk: Desk, codat: SimulatorServer) -> None:
    first, made = desk.journey.sign_up(merchant_id="m-1", contact_email="old@acme.example")
    before = len(desk.wire.requests)
    again, made_again = desk.journey.sign_up(merchant_id="m-1")
    changed, _ = desk.journey.sign_up(merchant_id="m-1", contact_email="new@acme.example")
    assert (made, made_again) == (True, False)
    assert again.company_id == changed.company_id == first.company_id
    assert again.contact_email == "old@acme.example"
    assert changed.contact_email == "new@acme.example"
    assert len(desk.wire.requests) == before
    assert len(at_codat(codat)) == 1


def test_what_codat_knows_already_is_found_by_its_tag(
    desk: Desk, client: Redis, codat: SimulatorServer
) -> None:
    """The store was lost, or another installation signed the merchant up."""
    first, _ = desk.journey.sign_up(merchant_id="m-1")
    client.flushall()
    again, made = desk.journey.sign_up(merchant_id="m-1")
    assert (again.company_id, made) == (first.company_id, False)
    assert len(at_codat(codat)) == 1


def test_many_at_once_in_several_processes_make_one_company(
    open_desk: Callable[..., Desk], codat: SimulatorServer
) -> None:
    desks = [open_desk(lock_wait_s=60.0) for _ in range(3)]
    gate = threading.Barrier(12)

    def sign_up(number: Any) -> Any:
        gate.wait()
        return desks[number % 3].journey.sign_up(merchant_id="m-1")

    with ThreadPoolExecutor(12) as pool:
        results = list(pool.map(sign_up, range(12)))
    assert len({view.company_id for view, _ in results}) == 1
    assert sorted(made for _, made in results) == [False] * 11 + [True]
    assert len(at_codat(codat)) == 1


def test_a_lost_answer_is_looked_for_and_not_sent_again(desk: Desk, codat: SimulatorServer) -> None:
    codat.simulation.faults.plan({"method": "POST", "path": "/companies", "broken_json": True})
    view, made = desk.journey.sign_up(merchant_id="m-1")
    (company,) = at_codat(codat)
    assert (view.company_id, made) == (company.id, True)
    assert len(desk.wire.asked("POST", "/companies")) == 1


def test_an_answer_that_never_came_is_looked_for_until_codat_shows_it(
    open_desk: Callable[..., Desk], codat: SimulatorServer
) -> None:
    """The request hangs beyond our time-out, and makes the company afterwards."""
    pauses = []

    def sleep(seconds: Any) -> None:
        pauses.append(seconds)
        if seconds:
            codat.simulation.faults.stopping.set()  # now it goes on
        while seconds and not at_codat(codat):
            threading.Event().wait(0.01)

    desk = open_desk(timeout_s=2.0, sleep=sleep)
    codat.simulation.faults.plan({"method": "POST", "path": "/companies", "hang_s": 600.0})
    view, made = desk.journey.sign_up(merchant_id="m-1")
    assert (view.company_id, made) == (at_codat(codat)[0].id, True)
    assert len(at_codat(codat)) == 1
    assert pauses


def test_where_the_lost_company_is_not_found_nothing_is_kept_and_the_next_try_looks_first(
    desk: Desk, client: Redis, codat: SimulatorServer
) -> None:
    codat.simulation.faults.plan({"method": "POST", "path": "/companies", "status": 500})
    with pytest.raises(CodatUncertain) as caught:
        desk.journey.sign_up(merchant_id="m-1")
    assert caught.value.correlation_id
    assert len(desk.wire.asked("GET", "/companies")) == 1 + len(LOST_ANSWER_CHECKS_S)
    assert desk.reader.current_company_id("m-1") is None
    assert not list(client.scan_iter(keys.signing_up("*")))
    view, made = desk.journey.sign_up(merchant_id="m-1")
    assert made
    assert [item.id for item in at_codat(codat)] == [view.company_id]


@pytest.mark.parametrize("status", [401, 402, 403, 429, 503])
def test_what_codat_refuses_is_told_and_sent_once(desk: Desk, codat: SimulatorServer, status: int) -> None:
    codat.simulation.faults.plan({"method": "POST", "path": "/companies", "status": status})
    with pytest.raises(CodatError) as caught:
        desk.journey.sign_up(merchant_id="m-1")
    assert caught.value.correlation_id
    assert len(desk.wire.asked("POST", "/companies")) == 1
    assert desk.reader.current_company_id("m-1") is None


def test_nothing_is_made_while_codat_cannot_say_whether_there_is_one(
    desk: Desk, codat: SimulatorServer
) -> None:
    codat.simulation.faults.plan({"method": "GET", "path": "/companies", "status": 429, "retry_after_s": 7})
    with pytest.raises(CodatRateLimited) as caught:
        desk.journey.sign_up(merchant_id="m-1")
    assert caught.value.retry_after_s == 7
    assert at_codat(codat) == []


def test_bad_input_costs_no_call(desk: Desk) -> None:
    with pytest.raises(Invalid):
        desk.journey.sign_up(merchant_id="")
    assert desk.wire.requests == []


def test_a_merchant_whose_company_was_deleted_gets_a_new_one(desk: Desk, drain: Callable[[], None]) -> None:
    first, _ = desk.journey.sign_up(merchant_id="m-1")
    desk.journey.delete_company(first.company_id)
    drain()
    assert desk.journey._companies.company_of("m-1") is None
    with pytest.raises(NotFound):
        desk.journey.company(first.company_id)
    second, made = desk.journey.sign_up(merchant_id="m-1")
    assert made
    assert second.company_id != first.company_id
    body = desk.journey._companies.company_of("m-1")
    assert body is not None
    assert body["id"] == second.company_id


def test_a_new_company_stays_the_merchants_whatever_comes_late_of_the_deleted_one(
    desk: Desk, client: Redis, drain: Callable[[], None]
) -> None:
    """Codat's messages of the deleted company carry the merchant's tag as well."""
    first, _ = desk.journey.sign_up(merchant_id="m-1")
    desk.journey.delete_company(first.company_id)
    drain()
    second, _ = desk.journey.sign_up(merchant_id="m-1")
    bench = Workbench(client)
    bench.clock.now = desk.clock()

    for event_type in ("company.created", "company.deleted"):
        bench.handle(
            messages.company(event_type, first.company_id, merchant_id="m-1", at=bench.clock()),
        )

    again, made = desk.journey.sign_up(merchant_id="m-1")
    assert (again.company_id, made) == (second.company_id, False)
    assert desk.reader.company_ids("m-1") == [first.company_id, second.company_id]


def test_a_company_that_was_deleted_and_linked_anew_at_codat_is_found_and_not_made_again(
    desk: Desk, client: Redis, codat: SimulatorServer
) -> None:
    bench = Workbench(client)
    bench.handle(
        messages.company("company.created", "gone", merchant_id="m-1"),
        messages.company("company.deleted", "gone", merchant_id="m-1"),
        messages.company("company.created", "there", merchant_id="m-1"),
    )

    view, made = desk.journey.sign_up(merchant_id="m-1")

    assert (view.company_id, made) == ("there", False)
    assert at_codat(codat) == []


def test_of_two_companies_at_codat_the_one_that_we_know_to_be_deleted_is_passed_over(
    desk: Desk, client: Redis, codat: SimulatorServer
) -> None:
    """A list of Codat's may show for a while what was deleted already."""
    with codat.simulation.lock:
        old, new = (codat.simulation.world.create_company("Shop", {"merchantId": "m-1"}) for _ in range(2))
    Workbench(client).handle(messages.company("company.deleted", old.id, merchant_id="m-1"))

    view, made = desk.journey.sign_up(merchant_id="m-1")

    assert (view.company_id, made) == (new.id, False)
    assert len(at_codat(codat)) == 2


def test_a_company_whose_tag_was_changed_at_codat_is_the_new_merchants(
    desk: Desk, client: Redis, codat: SimulatorServer
) -> None:
    view, _ = desk.journey.sign_up(merchant_id="old")
    bench = Workbench(client)
    bench.clock.now = desk.clock() + timedelta(seconds=60)
    bench.handle(messages.company("company.created", view.company_id, merchant_id="new", at=bench.clock()))

    result, made = desk.journey.sign_up(merchant_id="new")

    assert (result.company_id, result.merchant_id, made) == (view.company_id, "new", False)
    assert desk.journey._companies.company_of("old") is None
    assert at_codat(codat, "new") == []


def test_what_the_journey_does_later_does_not_give_a_company_its_old_merchant_back(
    desk: Desk, drain: Callable[[], None], client: Redis
) -> None:
    """The journey's own events carry the tags that were known when it began."""
    company_id = desk.company("old")
    row = desk.reader.company(company_id)
    assert row is not None
    bench = Workbench(client)
    bench.clock.now = desk.clock() + timedelta(seconds=60)
    bench.handle(messages.company("company.created", company_id, merchant_id="new", at=bench.clock()))
    desk.later = timedelta(seconds=120)

    events = JourneyEvents(
        inbox=desk.inbox, waker=desk.waker, reader=desk.reader, clock=desk.clock, settle_s=0
    )
    events.record_deleted(row, "connection-1")
    drain()

    assert desk.reader.company(company_id)["merchant_id"] == "new"
    (connection,) = desk.reader.list_connections(merchant_id="new", limit=5, cursor=None).items
    assert connection.connection.merchant_id == "new"


def test_without_an_api_key_a_known_company_is_still_found(
    desk: Desk, open_desk: Callable[..., Desk]
) -> None:
    view, _ = desk.journey.sign_up(merchant_id="m-1")
    without = open_desk(api_key=None)
    assert without.journey.sign_up(merchant_id="m-1")[0].company_id == view.company_id
    assert without.journey.company(view.company_id).merchant_id == "m-1"
    with pytest.raises(CodatNotSet, match="CODAT_API_KEY is not set"):
        without.journey.sign_up(merchant_id="m-2")


def test_links_lead_to_the_public_address_or_where_the_caller_came_from(
    desk: Desk, open_desk: Callable[..., Desk]
) -> None:
    company_id = desk.company()
    public = open_desk(PUBLIC_URL="https://data.example/")
    assert desk.journey.links.connect_url(company_id).startswith("http://127.0.0.1:8000/connect/")
    assert desk.journey.links.connect_url(company_id, root="https://us.example/").startswith(
        "https://us.example/connect/"
    )
    assert public.journey.links.connect_url(company_id, root="https://evil.example/").startswith(
        "https://data.example/connect/"
    )


def test_a_merchants_id_is_never_logged(
    desk: Desk, codat: SimulatorServer, caplog: pytest.LogCaptureFixture
) -> None:
    codat.simulation.faults.plan({"method": "POST", "path": "/companies", "broken_json": True})
    with caplog.at_level(logging.DEBUG, logger="processor"):
        desk.journey.sign_up(merchant_id="secret-merchant", contact_email="ann@acme.example")
    assert caplog.records
    text = " ".join(str(vars(record)) for record in caplog.records)
    assert "secret-merchant" not in text
    assert "ann@" not in text


@pytest.fixture
def product_codat() -> Any:
    """A Codat whose client has products and no default ones."""
    config = SimulatorConfig(api_key=CODAT_KEY, auto_sync=False, products=("lending", "spend-insights"))
    with SimulatorServer(config) as server:
        yield server


def test_a_company_gets_the_products_that_are_asked_for(
    redis_url: str, product_codat: SimulatorServer
) -> None:
    """`products` was 422, and where Codat wants one every sign-up was 502 without saying what to do."""
    with Redis.from_url(redis_url) as client:
        bare = Desk(client, product_codat)
        with pytest.raises(ProductsRefused) as refused:
            bare.journey.sign_up(merchant_id="m-1")
        assert refused.value.status == 422
        assert "must be assigned" in refused.value.errors["products"][0]
        assert "CODAT_PRODUCTS" in refused.value.detail
        with pytest.raises(ProductsRefused, match="'nonsense' does not exist"):
            bare.journey.sign_up(merchant_id="m-1", products=["nonsense"])
        with pytest.raises(Invalid) as invalid:
            bare.journey.sign_up(merchant_id="m-1", products=[" "])
        assert list(invalid.value.errors) == ["products"]
        assert at_codat(product_codat) == []

        bare.journey.sign_up(merchant_id="m-1", products=["lending"])
        assert at_codat(product_codat)[0].products == ("lending",)
        bare.journey.sign_up(merchant_id="m-1", products=["spend-insights"])
        assert at_codat(product_codat)[0].products == ("lending",), "a company that is there keeps its own"
        bare.close()

        all_alike = Desk(client, product_codat, CODAT_PRODUCTS="lending, spend-insights")
        all_alike.journey.sign_up(merchant_id="m-2")
        all_alike.journey.sign_up(merchant_id="m-3", products=["lending"])
        all_alike.close()
    assert at_codat(product_codat, "m-2")[0].products == ("lending", "spend-insights")
    assert at_codat(product_codat, "m-3")[0].products == ("lending",)


def test_without_products_codat_is_sent_none(desk: Desk) -> None:
    desk.journey.sign_up(merchant_id="m-1")
    (sent,) = [request for request in desk.wire.requests if request.method == "POST"]
    assert "products" not in json.loads(sent.content)
