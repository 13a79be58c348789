"""Products after the sign-up, reading now, and reading that is paused."""

from collections.abc import Iterator

import pytest

from processor.codat.errors import CodatNotFound
from processor.simulator import SimulatorConfig, SimulatorServer
from processor.simulator.chaos import DeliveryMode
from tests.processor.simulator.receiving import Receiver
from tests.support.journeying import CODAT_KEY
from tests.support.visiting import Place, Wall

UNTIL = "Paused until 2099-10-23T00:00:00.000Z"


@pytest.fixture
def codat(receiver: Receiver, wall: Wall) -> Iterator[SimulatorServer]:
    """A simulated Codat whose client has products."""
    config = SimulatorConfig(
        api_key=CODAT_KEY, auto_sync=False, webhook_url=receiver.url, products=("lending", "insights")
    )
    with SimulatorServer(config, wall) as server:
        yield server


def signed_up(place: Place) -> tuple[str, str]:
    result = place.sign_up(products=["lending"])
    return result.company_id, result.connect_url.rpartition("/")[2]


def test_products_are_added_and_removed_at_codat_first(place: Place) -> None:
    company_id, _ = signed_up(place)
    journey = place.desk.journey
    assert journey.products.add(company_id, "insights") == ["lending", "insights"]
    assert journey.products.add(company_id, "insights") == ["lending", "insights"]
    assert journey.company(company_id).products == ("lending", "insights")
    assert journey.products.remove(company_id, "lending") == ["insights"]
    assert journey.products.remove(company_id, "insights") == []
    assert journey.company(company_id).products == (), "a company may lose its last product"
    place.settle()
    assert journey.company(company_id).products == (), "the messages about it tell the same"
    with pytest.raises(CodatNotFound):
        journey.products.add(company_id, "unknown")
    place.codat.simulation.world.company(company_id).products = ("lending",)
    assert journey.products.of_company(company_id) == ["lending"]
    assert journey.company(company_id).products == ("lending",), "what Codat shows is kept"


def test_messages_about_products_change_them_and_late_ones_do_not(place: Place) -> None:
    """What was changed in Codat's portal was unknown until somebody asked for the products."""
    company_id, _ = signed_up(place)
    world, journey = place.codat.simulation.world, place.desk.journey
    codats = world.company(company_id)
    world.change_products(codats, "insights", is_added=True)
    place.settle()
    assert journey.company(company_id).products == ("lending", "insights")
    with place.codat.simulation.delivery.with_mode(DeliveryMode.HOLD):
        world.change_products(codats, "lending", is_added=False)
    world.change_products(codats, "lending", is_added=True)
    place.settle()
    assert journey.company(company_id).products == ("insights", "lending")
    place.codat.simulation.delivery.release()
    place.settle()
    assert journey.company(company_id).products == ("insights", "lending")


def test_what_was_read_can_be_read_now_with_custom_products(place: Place) -> None:
    company_id, token = signed_up(place)
    xero = place.linked(company_id)
    place.change(xero, "complete-sync")
    visitor = place.visitor()
    page = visitor.open(f"/connect/{token}/connections/{xero}")
    assert list(visitor.open(f"/connect/{token}/manage").forms_with("Read now"))
    assert visitor.press(page, "Read now").answer.status_code == 303
    assert len(place.desk.wire.asked("POST", "/products/lending/refresh")) == 1
    page = visitor.open(f"/connect/{token}/connections/{xero}?asked=read")
    assert "Reading was asked for." in page.text


def test_a_first_sync_that_is_paused_says_until_when(place: Place) -> None:
    company_id, token = signed_up(place)
    xero = place.linked(company_id)
    place.change(xero, "start-sync")
    for dataset in place.codat.simulation.world.company(company_id).datasets:
        dataset.status, dataset.message = "Fetching", UNTIL
    place.later(120)
    place.desk.journey.queue_questions(company_id)
    place.settle()
    view = place.desk.journey.connection(xero)
    assert view["paused_until"] == "2099-10-23T00:00:00.000000Z"
    assert {row["paused_until"] for row in view["data_types"]} == {view["paused_until"]}
    (synced,) = place.desk.journey.sync(company_id)["connections"]
    assert (synced["paused_until"], synced["waits_for_computer"]) == (view["paused_until"], False)
    page = place.visitor().open(f"/connect/{token}/connections/{xero}")
    assert "Reading from Xero is paused" in page.text
    assert "it is paused until 23 October 2099, 00:00 UTC." in page.text
    assert "Paused until 23 October 2099, 00:00 UTC" in page.text


def test_a_connection_that_waits_for_a_computer_says_so_to_callers(place: Place) -> None:
    company_id, token = signed_up(place)
    desktop = place.linked(company_id, "pqsw")
    place.change(desktop, "start-sync")
    place.later(120)
    place.desk.journey.queue_questions(company_id)
    place.settle()
    (synced,) = place.desk.journey.sync(company_id)["connections"]
    view = place.desk.journey.connection(desktop)
    assert view["waits_for_computer"] == view["on_premise"] == synced["waits_for_computer"]
    page = place.visitor().open(f"/connect/{token}/connections/{desktop}")
    assert "Waiting for your computer" in page.text
