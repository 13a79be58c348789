"""What the client asks for, and how it reads the answers."""

import base64
import logging
from contextlib import nullcontext
from datetime import UTC, datetime
from urllib.parse import parse_qsl

import httpx
import pytest

from handlers.events import Company, ConnectionDetails, LinkStatus, Problem
from handlers.reads import Dataset
from processor.codat.errors import CodatUncertain, CodatUnusable
from processor.codat.models import Branding, Image
from processor.errors import CodatRefused


def test_a_connection_is_read_with_codats_time(bench):
    bench.answers(
        "GET",
        f"/companies/{bench.company_id}/connections/{bench.connection_id}",
        bench.json(bench.connection()),
    )

    answer = bench.client.get_connection(bench.company_id, bench.connection_id)

    assert answer.details == ConnectionDetails(
        bench.connection_id,
        platform_key="gbol",
        platform_name="Xero",
        source_type="Accounting",
        integration_id="0a1b2c3d-0000-4000-8000-0000000000d1",
        status=LinkStatus.LINKED,
    )
    assert answer.status is LinkStatus.LINKED
    assert (answer.asked_at, answer.timed) == (bench.theirs, True)
    assert answer.link_url == "https://link.codat.example/start?otp=123456"
    assert answer.created == datetime(2026, 11, 20, 10, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize("date", [None, "", "yesterday", "Sun, 99 Nov 2026 15:10:07 GMT", "2026-11-22"])
def test_without_a_usable_date_header_our_clock_stands_in(bench, date):
    answer = httpx.Response(200, json=bench.connection(), headers={} if date is None else {"Date": date})
    bench.answers("GET", f"/companies/{bench.company_id}/connections/{bench.connection_id}", answer)

    seen = bench.client.get_connection(bench.company_id, bench.connection_id)

    assert (seen.asked_at, seen.timed) == (bench.ours, False)


def test_the_newest_active_error_of_a_connection_is_read(bench):
    errors = [
        {"statusCode": "500", "erroredOnUtc": "2026-11-20T10:00:00Z", "status": "Active"},
        {
            "statusCode": "401",
            "statusText": "Unauthorised",
            "errorMessage": "Log in again",
            "erroredOnUtc": "2026-11-21T10:00:00Z",
            "status": "Active",
        },
        {"statusCode": "403", "erroredOnUtc": "2026-11-22T10:00:00Z", "status": "Resolved"},
    ]
    row = bench.connection(dataConnectionErrors=errors)
    bench.answers("GET", f"/companies/{bench.company_id}/connections", bench.json(bench.page([row])))

    (seen,) = bench.client.list_connections(bench.company_id)

    assert seen.problem == Problem("401", "Unauthorised", "Log in again")


def test_a_company_is_read_with_its_connections(bench):
    bench.answers("GET", f"/companies/{bench.company_id}", bench.json(bench.company()))

    company = bench.client.get_company(bench.company_id)

    assert company.company == Company(bench.company_id, "Greengrocers", {"merchantId": "m-1"})
    assert company.company.merchant_id == "m-1"
    assert company.connections is not None
    assert [connection.id for connection in company.connections] == [bench.connection_id]
    assert company.created == datetime(2026, 11, 20, 9, tzinfo=UTC)


@pytest.mark.parametrize("rows", [None, "none", [{"id": "x"}], [{"id": "x", "status": "Sleeping"}], [7]])
def test_connections_that_cannot_be_read_are_not_taken_for_none(bench, rows):
    bench.answers("GET", f"/companies/{bench.company_id}", bench.json(bench.company(dataConnections=rows)))

    assert bench.client.get_company(bench.company_id).connections is None


def test_a_company_is_found_by_its_exact_tag_and_the_oldest_wins(bench):
    def row(id_, merchant, created):
        return bench.company(id=id_, tags={"merchantId": merchant}, created=created, dataConnections=[])

    rows = [
        row("c-1", "m-10", "2026-01-01T00:00:00Z"),
        row("c-3", "m-1", "2026-03-01T00:00:00Z"),
        row("c-2", "m-1", "2026-02-01T00:00:00Z"),
        row("c-4", "m-1", None),
    ]
    bench.answers("GET", "/companies", bench.json(bench.page(rows)))

    result = bench.client.find_company_by_tag("merchantId", "m-1")

    assert result is not None
    assert result.id == "c-2"
    assert ("tags", "merchantId=m-1") in parse_qsl(bench.calls()[0].url.query.decode())
    assert bench.client.find_company_by_tag("merchantId", "M-1") is None


def test_history_is_asked_for_one_connection_in_codats_query_language(bench):
    rows = [
        bench.dataset(1),
        bench.dataset(2, dataType="bills", status="FetchError", errorMessage="No access", progress=40),
        bench.dataset(3, dataType="items", status="Fetching", completed=None, statusDescription="Reading"),
    ]
    bench.answers("GET", f"/companies/{bench.company_id}/data/history", bench.json(bench.page(rows)))

    history = bench.client.get_history(bench.company_id, bench.connection_id)

    assert f"query=connectionId%3D{bench.connection_id}" in str(bench.calls()[0].url)
    assert history.asked_at == bench.theirs
    requested = datetime(2026, 11, 20, 10, 0, 1, tzinfo=UTC)
    completed = datetime(2026, 11, 20, 10, 0, 9, 500000, tzinfo=UTC)
    assert history.datasets == (
        Dataset(bench.connection_id, "invoices", "Complete", requested, completed, 100, ended=True),
        Dataset(
            bench.connection_id, "bills", "FetchError", requested, completed, 40, "No access", ended=True
        ),
        Dataset(bench.connection_id, "items", "Fetching", requested, None, 100, "Reading", ended=True),
    )


def test_an_empty_history_has_codats_time_too(bench):
    bench.answers("GET", f"/companies/{bench.company_id}/data/history", bench.json(bench.page([])))

    history = bench.client.get_history(bench.company_id)

    assert (history.asked_at, history.datasets) == (bench.theirs, ())
    assert "query" not in str(bench.calls()[0].url)


def test_data_status_is_a_map_that_leaves_out_null(bench):
    sync = "0a1b2c3d-0000-4000-8000-0000000000f1"
    body = {
        "invoices": {
            "dataType": "invoices",
            "currentStatus": "Complete",
            "lastSuccessfulSync": "2026-11-20T10:00:00Z",
            "latestSyncId": sync,
            "latestSuccessfulSyncId": sync,
        },
        "bills": {"dataType": "bills", "currentStatus": "Fetching"},
        "items": None,
    }
    bench.answers("GET", f"/companies/{bench.company_id}/dataStatus", bench.json(body))

    assert bench.client.get_data_status(bench.company_id) == {
        "invoices": "Complete",
        "bills": "Fetching",
    }


def test_integrations_are_filtered_in_codats_query_language(bench):
    row = {
        "key": "gbol",
        "logoUrl": "https://static.codat.example/gbol.png",
        "name": "Xero",
        "enabled": True,
        "sourceType": "Accounting",
        "isBeta": False,
        "isOfflineConnector": False,
    }
    bench.answers("GET", "/integrations", bench.json(bench.page([row])))

    (integration,) = bench.client.list_integrations()

    assert (integration.key, integration.name, integration.enabled) == ("gbol", "Xero", True)
    assert "page=1&pageSize=100&query=enabled%3Dtrue" in str(bench.calls()[0].url)


def test_branding_leaves_out_pictures_without_a_usable_address(bench):
    body = {
        "logo": {
            "full": {"image": {"src": "https://static.codat.example/full.png", "alt": "Xero"}},
            "square": {"image": {"src": "javascript:alert(1)"}},
        },
        "button": {"default": None},
    }
    bench.answers("GET", "/integrations/gbol/branding", bench.json(body))

    branding = bench.client.get_branding("gbol")

    assert branding == Branding(logo_full=Image("https://static.codat.example/full.png", "Xero"))


def test_every_call_carries_the_key_and_none_shows_it(bench, caplog):
    caplog.set_level(logging.DEBUG)
    bench.answers("GET", "/webhooks", bench.json({"results": []}))

    bench.client.list_webhooks()

    expected = "Basic " + base64.b64encode(bench.api_key.encode()).decode()
    assert bench.calls()[0].headers["Authorization"] == expected
    shown = repr(bench.client) + repr(vars(bench.client)) + caplog.text
    assert bench.api_key not in shown
    assert expected not in shown


def test_a_query_is_encoded_whole(bench):
    bench.answers("GET", "/companies", bench.json({"results": []}))

    assert list(bench.client.find_companies(tags="a=b && c~d é\ud800")) == []

    query = bench.calls()[0].url.query
    assert query == b"page=1&pageSize=100&tags=a%3Db%20%26%26%20c~d%20%C3%A9%3F"


def test_a_company_is_created_with_name_and_tags(bench):
    route = bench.answers("POST", "/companies", bench.json(bench.company(dataConnections=[])))

    company = bench.client.create_company("Greengrocers", {"merchantId": "m-1"})

    assert company.id == bench.company_id
    request = route.calls.last.request
    assert request.read() == b'{"name": "Greengrocers", "tags": {"merchantId": "m-1"}}'
    assert request.headers["Content-Type"] == "application/json"


def test_unlinking_says_unlinked_and_answers_with_the_connection(bench):
    route = bench.answers(
        "PATCH",
        f"/companies/{bench.company_id}/connections/{bench.connection_id}",
        bench.json(bench.connection(status="Unlinked")),
    )

    answer = bench.client.unlink(bench.company_id, bench.connection_id)

    assert answer.status is LinkStatus.UNLINKED
    assert route.calls.last.request.read() == b'{"status": "Unlinked"}'


def test_deleting_and_reading_again_need_no_body_in_the_answer(bench):
    for method, path in (
        ("DELETE", f"/companies/{bench.company_id}"),
        ("DELETE", f"/companies/{bench.company_id}/connections/{bench.connection_id}"),
        ("DELETE", f"/webhooks/{bench.connection_id}"),
    ):
        bench.answers(method, path, httpx.Response(204))

    bench.client.delete_connection(bench.company_id, bench.connection_id)
    bench.client.delete_company(bench.company_id)
    bench.client.delete_webhook(bench.connection_id)

    assert all(request.read() == b"" for request in bench.calls())


def test_webhook_consumers_are_created_and_listed(bench):
    row = {
        "id": bench.connection_id,
        "url": "https://us.example/hook",
        "eventTypes": ["read.completed"],
        "companyTags": None,
        "disabled": True,
    }
    bench.answers("GET", "/webhooks", bench.json({"results": [row]}))
    route = bench.answers("POST", "/webhooks", bench.json(row, 201))

    (listed,) = bench.client.list_webhooks()
    created = bench.client.create_webhook("https://us.example/hook", ["read.completed"], company_tags=["a"])

    assert listed == created
    assert (listed.url, listed.event_types, listed.disabled) == (row["url"], ("read.completed",), True)
    assert b'"companyTags": ["a"]' in route.calls.last.request.read()


@pytest.mark.parametrize(
    ("hostile", "path"),
    [
        ("../../webhooks", "/companies/..%2F..%2Fwebhooks"),
        ("a?page=1", "/companies/a%3Fpage%3D1"),
        ("a#b", "/companies/a%23b"),
        ("a/connections/b", "/companies/a%2Fconnections%2Fb"),
        ("%2e%2e", "/companies/%252e%252e"),
        ("a\r\nX: y", "/companies/a%0D%0AX%3A%20y"),
        ("日本", "/companies/%E6%97%A5%E6%9C%AC"),
    ],
)
def test_a_hostile_id_stays_one_part_of_the_path(bench, hostile, path):
    bench.router.route(method="GET").respond(200, json=bench.company(id=hostile))

    with pytest.raises(CodatUnusable) if "\n" in hostile else nullcontext():
        bench.client.get_company(hostile)

    assert bench.calls()[0].url.raw_path.decode() == path


@pytest.mark.parametrize("impossible", ["", ".", "..", " .. ", "\ud800", "x" * 201])
def test_an_impossible_id_is_never_asked_for(bench, impossible):
    with pytest.raises(CodatRefused):
        bench.client.get_company(impossible)
    with pytest.raises(CodatRefused):
        bench.client.delete_connection(bench.company_id, impossible)

    assert bench.calls() == []


def test_another_connection_than_asked_for_is_no_answer(bench):
    path = f"/companies/{bench.company_id}/connections/{bench.connection_id}"
    bench.answers("GET", path, bench.json(bench.connection(id="another")))

    with pytest.raises(CodatUnusable):
        bench.client.get_connection(bench.company_id, bench.connection_id)


def test_a_change_whose_answer_cannot_be_read_may_have_been_made(bench):
    bench.answers("POST", "/companies", bench.json({"name": "no id"}))

    with pytest.raises(CodatUncertain):
        bench.client.create_company("Greengrocers")
