"""The platforms: all pages, from memory and Redis; Codat is asked once a day, and never by a page view."""

import dataclasses
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from processor.errors import CodatError, Invalid
from processor.journey.catalogue import FRESH_FOR
from processor.journey.errors import CodatNotSet
from processor.journey.platforms import FAILURE_S
from processor.simulator import SimulatorServer
from processor.simulator.platforms import PLATFORMS, SimulatedPlatform
from processor.store import keys
from tests.support.journeying import Desk

ENABLED = [platform for platform in PLATFORMS if platform.enabled]


def lists(desk: Desk) -> Any:
    return desk.wire.asked("GET", "/integrations")


def pictures(desk: Desk) -> Any:
    return desk.wire.asked("GET", "/branding")


def names(found: Any) -> Any:
    return [item.name for item in found]


def test_enabled_ones_are_listed_by_source_type_and_name(desk: Desk) -> None:
    result = desk.journey.offers.enabled()
    assert {item.key for item in result} == {item.key for item in ENABLED}
    assert names(result)[:3] == ["FreeAgent", "Oracle NetSuite", "QuickBooks Desktop"]
    kinds = [str(item.source_type) for item in result]
    assert kinds == sorted(
        kinds, key=["Accounting", "Banking", "BankFeed", "Commerce", "Expense", "Other", "Unknown"].index
    )
    assert [item.name for item in result if item.is_beta] == ["Oracle NetSuite"]
    assert [item.name for item in result if item.is_offline] == ["QuickBooks Desktop", "Sage 50"]
    assert [item.name for item in result if item.is_upload] == ["Accounting File Upload"]


def test_the_query_is_encoded_as_codat_wants_it(desk: Desk) -> None:
    desk.journey.offers.enabled()
    (asked,) = lists(desk)
    assert asked.url.query == b"page=1&pageSize=100&query=enabled%3Dtrue"


def test_they_are_filtered_by_source_type_in_any_case_and_by_words(desk: Desk) -> None:
    assert names(desk.journey.offers.enabled(source_type="banking")) == ["Plaid", "TrueLayer"]
    assert names(desk.journey.offers.enabled(source_type="BANKFEED")) == ["QuickBooks Online Bank Feeds"]
    assert names(desk.journey.offers.enabled(search="quick")) == [
        "QuickBooks Desktop",
        "QuickBooks Online",
        "QuickBooks Online Bank Feeds",
    ]
    assert names(desk.journey.offers.enabled(search="  ONLINE  feeds ")) == ["QuickBooks Online Bank Feeds"]
    assert names(desk.journey.offers.enabled(source_type="commerce", search="xero")) == []
    assert len(desk.journey.offers.enabled(search="")) == len(ENABLED)
    with pytest.raises(Invalid) as caught:
        desk.journey.offers.enabled(source_type="shoes")
    assert list(caught.value.errors) == ["source_type"]
    assert len(lists(desk)) == 1


def test_all_pages_are_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    more = tuple(
        SimulatedPlatform(f"p{number:03}", f"Platform {number:03}", "Banking", "#000", "P")
        for number in range(230)
    )
    monkeypatch.setattr("processor.simulator.api.PLATFORMS", more)
    assert len(desk.journey.offers.enabled()) == 230
    assert [dict(item.url.params)["page"] for item in lists(desk)] == ["1", "2", "3"]


def test_the_pictures_come_in_the_background_once_each(desk: Desk) -> None:
    first = desk.journey.offers.enabled(search="QuickBooks Online")[0]
    assert first.logo_url == f"{desk.codat.url}/branding/qhyg/square.svg"
    assert first.button_url is None
    assert pictures(desk) == []
    assert desk.do_in_background() == 1
    shown = desk.journey.offers.enabled(search="QuickBooks Online")[0]
    assert shown == dataclasses.replace(
        first,
        logo_url=f"{desk.codat.url}/branding/qhyg/full.svg",
        logo_alt="QuickBooks Online logo",
        square_logo_url=f"{desk.codat.url}/branding/qhyg/square.svg",
        button_url=f"{desk.codat.url}/branding/qhyg/button.svg",
        button_hover_url=f"{desk.codat.url}/branding/qhyg/button-hover.svg",
    )
    assert len(pictures(desk)) == len(ENABLED)
    assert desk.do_in_background() == 0


def test_a_view_costs_no_call_and_another_process_finds_what_the_first_read(
    desk: Desk, open_desk: Callable[..., Desk]
) -> None:
    desk.journey.offers.enabled()
    desk.do_in_background()
    asked = len(desk.wire.requests)
    for _ in range(100):
        desk.journey.offers.enabled()
    other = open_desk()
    assert other.journey.offers.enabled() == desk.journey.offers.enabled()
    assert (len(desk.wire.requests), other.wire.requests) == (asked, [])


def test_a_thousand_first_views_at_once_in_two_processes_cost_one_call(
    open_desk: Callable[..., Desk],
) -> None:
    desks = [open_desk(timeout_s=60.0), open_desk(timeout_s=60.0)]
    for desk in desks:
        desk.ticks = lambda: 0.0  # whoever waits for the one that reads does so as long as it takes
    gate = threading.Barrier(1_000)

    def view(number: Any) -> Any:
        gate.wait()
        return len(desks[number % 2].journey.offers.enabled())

    with ThreadPoolExecutor(1_000) as pool:
        assert set(pool.map(view, range(1_000))) == {len(ENABLED)}
    assert sum(len(desk.wire.requests) for desk in desks) == 1
    assert sum(desk.do_in_background() for desk in desks) == 2
    assert sum(len(pictures(desk)) for desk in desks) == len(ENABLED)


def test_after_a_day_the_old_ones_are_served_while_they_are_read_anew(desk: Desk) -> None:
    before = desk.journey.offers.enabled()
    desk.do_in_background()
    desk.wire.requests.clear()
    desk.later = FRESH_FOR
    assert names(desk.journey.offers.enabled()) == names(before)
    assert desk.wire.requests == []
    assert desk.do_in_background() == 1
    assert (len(lists(desk)), len(pictures(desk))) == (1, len(ENABLED))
    desk.journey.offers.enabled()
    assert desk.do_in_background() == 0


def test_while_codat_is_down_the_old_ones_are_served_and_it_is_left_alone(
    desk: Desk, codat: SimulatorServer
) -> None:
    before = desk.journey.offers.enabled()
    desk.do_in_background()
    codat.simulation.faults.plan({"status": 503, "count": 1_000})
    desk.later = timedelta(days=3)
    desk.wire.requests.clear()
    for _ in range(5):
        assert names(desk.journey.offers.enabled()) == names(before)
        desk.do_in_background()
    assert 0 < len(desk.wire.requests) <= 3  # one attempt with its brief retries, then a rest


def test_what_was_removed_at_codat_goes_away_and_what_is_kept_keeps_its_pictures(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.journey.offers.enabled()
    desk.do_in_background()
    monkeypatch.setattr("processor.simulator.api.PLATFORMS", PLATFORMS[:2])
    desk.later = FRESH_FOR
    desk.journey.offers.enabled()
    desk.do_in_background()
    result = desk.journey.offers.enabled()
    assert names(result) == ["QuickBooks Online", "Xero"]
    assert all(item.button_url for item in result)


def test_one_platform_that_cannot_be_read_takes_no_other_away(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One integration with a blank name, and every merchant saw an empty list."""
    blank = dataclasses.replace(PLATFORMS[0], key="odd1", name="   ")
    monkeypatch.setattr("processor.simulator.api.PLATFORMS", (blank, *PLATFORMS))
    assert {offer.key for offer in desk.journey.offers.enabled()} == {item.key for item in ENABLED}
    (record,) = [item for item in caplog.records if "is skipped" in item.getMessage()]
    assert vars(record)["row"] == "odd1"
    assert desk.journey.connect(desk.company(), "gbol").created


def test_a_list_of_which_nothing_can_be_read_is_no_empty_list(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    blank = dataclasses.replace(PLATFORMS[0], name="   ")
    monkeypatch.setattr("processor.simulator.api.PLATFORMS", (blank,))
    with pytest.raises(CodatError):
        desk.journey.offers.enabled()


def test_a_picture_that_codat_has_not_holds_up_nothing(desk: Desk, codat: SimulatorServer) -> None:
    codat.simulation.faults.plan({"status": 404, "path": "/integrations/gbol/branding"})
    codat.simulation.faults.plan({"broken_json": True, "path": "/integrations/qhyg/branding"})
    desk.journey.offers.enabled()
    desk.do_in_background()
    without = [offer.name for offer in desk.journey.offers.enabled() if offer.button_url is None]
    assert without == ["QuickBooks Online", "Xero"]
    assert all(offer.logo_url for offer in desk.journey.offers.enabled())
    assert desk.do_in_background() == 0


def test_a_first_view_while_codat_is_down_says_so_once_for_all(
    desk: Desk, codat: SimulatorServer, client: Redis
) -> None:
    desk.ticks = lambda: 0.0
    codat.simulation.faults.plan({"status": 401, "count": 1_000})
    gate = threading.Barrier(20)

    def view(_: Any) -> Any:
        gate.wait()
        with pytest.raises(CodatError) as caught:
            desk.journey.offers.enabled()
        return caught.value.correlation_id

    with ThreadPoolExecutor(20) as pool:
        assert len(set(pool.map(view, range(20)))) == 1
    assert len(desk.wire.requests) == 1
    assert not client.exists(keys.reading_platforms("*"))
    codat.simulation.faults.clear()
    desk.later = timedelta(seconds=FAILURE_S)
    assert desk.journey.offers.enabled()


def test_signing_up_reads_them_ahead(desk: Desk) -> None:
    desk.company()
    desk.do_in_background()
    asked = len(desk.wire.requests)
    assert desk.journey.offers.enabled()[0].button_url
    assert len(desk.wire.requests) == asked


def test_what_another_version_kept_is_read_again(desk: Desk, client: Redis) -> None:
    desk.journey.offers.enabled()
    (name,) = client.scan_iter(keys.platforms("*"))
    for odd in (b"{}", b"nonsense", b'{"version": 0}', b"[]", b'{"version": 1, "platforms": 3}'):
        client.set(name, odd)
        assert desk.journey._platforms._cache.get() is None


def test_without_an_api_key_there_are_none_and_it_says_why(open_desk: Callable[..., Desk]) -> None:
    with pytest.raises(CodatNotSet):
        open_desk(api_key=None).journey.offers.enabled()


def test_two_accounts_do_not_share_theirs(desk: Desk, open_desk: Callable[..., Desk], client: Redis) -> None:
    desk.journey.offers.enabled()
    other = open_desk(api_key="another-api-key")
    with pytest.raises(CodatError):
        other.journey.offers.enabled()
    assert len(list(client.scan_iter(keys.platforms("*")))) == 1
