"""The client and the simulated Codat, over real HTTP."""

import base64
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import httpx
import pytest

from handlers.events import ConnectionGone, ConnectionSeen, LinkStatus
from processor.codat.client import CodatClient
from processor.codat.errors import CodatFailing, CodatNotFound, CodatUncertain, CodatUnusable, CompanyUnseen
from processor.codat.http import CodatHttp
from processor.codat.questions import QuestionClient
from processor.errors import CodatRateLimited, CodatRefused, CodatUnavailable
from processor.simulator import SimulatorConfig, SimulatorServer


@pytest.fixture
def world() -> Iterator[SimpleNamespace]:
    """A simulated Codat, a client for it, and a way to make things happen there."""
    config = SimulatorConfig(auto_sync=False)
    with (
        SimulatorServer(config) as codat,
        CodatClient(
            CodatHttp(
                api_key=config.api_key,
                base_url=codat.url,
                timeout_s=60.0,
                budget_s=60.0,
                sleep=lambda _: None,
            )
        ) as client,
        httpx.Client(base_url=codat.url, trust_env=False, timeout=60) as control,
    ):

        def happen(path: str, **options: object) -> dict[str, object]:
            answer = control.post(f"/simulator/{path}", json=options)
            answer.raise_for_status()
            told: dict[str, object] = answer.json() if answer.content else {}
            return told

        yield SimpleNamespace(client=client, asker=QuestionClient(client), happen=happen, url=codat.url)


@pytest.fixture
def linked(world: SimpleNamespace) -> SimpleNamespace:
    """A company with a connection that is linked and was read."""
    world.company = world.client.create_company("Greengrocers", {"merchantId": "m_1"})
    world.connection = world.client.create_connection(world.company.id, "gbol")
    for change in ("authorize", "start-sync", "complete-sync"):
        world.happen(f"connections/{world.connection.id}/{change}")
    return world


def test_a_connection_is_seen_from_choice_to_end(world):
    company = world.client.create_company("Greengrocers")
    connection = world.client.create_connection(company.id, "gbol")
    seen = [world.asker.ask_connection(company.id, connection.id).status]
    for change in ("authorize", "deauthorize", "reauthorize", "unlink"):
        world.happen(f"connections/{connection.id}/{change}")
        seen.append(world.asker.ask_connection(company.id, connection.id).status)

    assert connection.link_url
    assert seen == [
        LinkStatus.PENDING,
        LinkStatus.LINKED,
        LinkStatus.DEAUTHORIZED,
        LinkStatus.LINKED,
        LinkStatus.UNLINKED,
    ]


def test_the_first_sync_is_in_the_history(linked):
    event = linked.asker.ask_history(linked.company.id, [linked.connection.id])

    assert {row.status for row in event.datasets} == {"Complete"}
    assert all(row.requested <= row.completed for row in event.datasets)
    assert set(linked.client.get_data_status(linked.company.id)) == {row.data_type for row in event.datasets}


def test_deletion_is_told_apart_from_a_company_that_we_are_not_shown(linked):
    ask = linked.asker.ask_connection
    linked.client.delete_connection(linked.company.id, linked.connection.id)
    assert isinstance(ask(linked.company.id, linked.connection.id), ConnectionGone)

    linked.client.delete_company(linked.company.id)
    with pytest.raises(CompanyUnseen):
        ask(linked.company.id, linked.connection.id)
    assert isinstance(ask(linked.company.id, linked.connection.id, seen_before=True), ConnectionGone)


def test_a_company_is_found_again_by_its_tag_among_many(world):
    for number in range(7):
        world.client.create_company("Shop", {"merchantId": f"urn:m&&{number}"})

    result = world.client.find_company_by_tag("merchantId", "urn:m&&5")

    assert result.tags == {"merchantId": "urn:m&&5"}
    assert len({company.id for company in world.client.find_companies(page_size=2)}) == 7
    assert world.client.find_company_by_tag("merchantId", "urn:m") is None


def test_only_what_is_linked_can_be_unlinked(world):
    company = world.client.create_company("Greengrocers")
    connection = world.client.create_connection(company.id, "gbol")
    with pytest.raises(CodatRefused):
        world.client.unlink(company.id, connection.id)

    world.happen(f"connections/{connection.id}/authorize")
    assert world.client.unlink(company.id, connection.id).status is LinkStatus.UNLINKED


def test_a_wrong_key_is_refused(world):
    with (
        CodatClient(CodatHttp(api_key="wrong", base_url=world.url)) as client,
        pytest.raises(CodatRefused) as caught,
    ):
        client.list_webhooks()

    assert caught.value.codat_status == 401
    assert caught.value.correlation_id


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"status": 402}, CodatRefused),
        ({"status": 404}, CodatNotFound),
        ({"status": 429, "retry_after_s": 9}, CodatRateLimited),
        ({"status": 500, "count": 3}, CodatFailing),
        ({"status": 503, "count": 3}, CodatFailing),
        ({"broken_json": True}, CodatUnusable),
    ],
)
def test_each_fault_is_one_clear_error_when_reading(linked, fault, kind):
    linked.happen("faults", **fault)

    with pytest.raises(kind):
        linked.client.get_company(linked.company.id)
    assert linked.client.get_company(linked.company.id).id == linked.company.id


def test_passing_faults_are_not_noticed_when_reading(linked):
    linked.happen("faults", status=503, count=2)

    assert isinstance(linked.asker.ask_connection(linked.company.id, linked.connection.id), ConnectionSeen)


@pytest.mark.parametrize("fault", [{"broken_json": True}, {"status": 500}])
def test_a_change_with_a_lost_answer_is_uncertain_and_made_at_most_once(world, fault):
    world.happen("faults", **fault)

    with pytest.raises(CodatUncertain):
        world.client.create_company("Greengrocers", {"merchantId": "m_1"})

    made = list(world.client.find_companies())
    assert len(made) == (1 if "broken_json" in fault else 0)
    result = world.client.find_company_by_tag("merchantId", "m_1")
    assert (result and result.id) == (made[0].id if made else None)


def test_a_hanging_codat_is_given_up(linked):
    linked.happen("faults", hang_s=600.0, count=9)
    with CodatClient(
        CodatHttp(api_key="simulator-api-key", base_url=linked.url, timeout_s=0.5, sleep=lambda _: None)
    ) as client:
        with pytest.raises(CodatUnavailable):
            client.get_company(linked.company.id)
        with pytest.raises(CodatUncertain):
            client.delete_company(linked.company.id)


def test_codats_clock_counts_however_wrong_it_is(linked):
    linked.happen("faults", date_offset_s=600)

    event = linked.asker.ask_connection(linked.company.id, linked.connection.id)

    assert timedelta(minutes=9) < event.at - datetime.now(UTC) < timedelta(minutes=11)


def test_threads_share_a_client(linked):
    def ask(_: int) -> object:
        return linked.asker.ask_connection(linked.company.id, linked.connection.id).status

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(ask, range(60))) == {LinkStatus.LINKED}


def test_a_proxy_named_in_the_environment_is_not_used(world, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

    with CodatClient(CodatHttp(api_key="simulator-api-key", base_url=world.url)) as client:
        assert client.list_webhooks() == []


def test_the_key_is_in_no_log_line_of_the_libraries_either(world, caplog):
    caplog.set_level(logging.DEBUG)

    world.client.list_webhooks()

    assert "httpcore" in {record.name.split(".")[0] for record in caplog.records}
    assert "simulator-api-key" not in caplog.text
    assert base64.b64encode(b"simulator-api-key").decode() not in caplog.text
