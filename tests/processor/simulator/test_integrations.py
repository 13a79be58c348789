"""The integrations and their branding, and lists in general: filtered, ordered, cut into pages."""

import httpx
import pytest

from processor.simulator.clients import http_client
from tests.processor.simulator.calling import assert_error, create_company


def test_lists_are_cut_into_pages_that_know_their_neighbours(api: httpx.Client) -> None:
    ids = [create_company(api, f"Shop {number}") for number in range(5)]
    first = api.get("/companies", params={"page": 1, "pageSize": 2}).json()
    assert (first["pageNumber"], first["pageSize"], first["totalResults"]) == (1, 2, 5)
    assert "previous" not in first["_links"]
    result, page = list(first["results"]), first
    while "next" in page["_links"]:
        page = api.get(page["_links"]["next"]["href"]).json()
        result += page["results"]
    assert [item["id"] for item in result] == ids
    assert page["pageNumber"] == 3
    assert "previous" in page["_links"]


def test_pages_keep_the_query_in_their_links(api: httpx.Client) -> None:
    for number in range(3):
        create_company(api, f"Shop {number}", kind="a" if number else "b")
    page = api.get("/companies", params={"pageSize": 1, "query": "tags.kind=a"}).json()
    following = api.get(page["_links"]["next"]["href"]).json()
    assert following["totalResults"] == 2
    assert following["results"][0]["tags"] == {"kind": "a"}


@pytest.mark.parametrize(
    "arguments", ["page=0", "page=x", "pageSize=0", "pageSize=-1", "page=1e3", "orderBy=nothing"]
)
def test_arguments_that_make_no_sense_are_refused(api: httpx.Client, arguments: str) -> None:
    assert_error(api.get(f"/companies?{arguments}"), 400)


@pytest.mark.parametrize("query", ["enabled", "=x", "enabled=true&&", "nothing=1"])
def test_queries_that_make_no_sense_are_refused(api: httpx.Client, query: str) -> None:
    assert_error(api.get("/integrations", params={"query": query}), 400)


def test_integrations_have_every_source_type_one_disabled_and_one_beta(api: httpx.Client) -> None:
    result = api.get("/integrations", params={"page": 1, "pageSize": 100}).json()["results"]
    types = {"Accounting", "Banking", "BankFeed", "Commerce", "Expense", "Other", "Unknown"}
    assert {item["sourceType"] for item in result} == types
    assert sum(not item["enabled"] for item in result) == 1
    assert sum(item["isBeta"] for item in result) == 1
    assert len({item["key"] for item in result}) == len(result) >= 14
    assert all(len(item["key"]) == 4 and item["key"].isalpha() and item["key"].islower() for item in result)


def test_integrations_are_filtered_by_terms_joined_with_and(api: httpx.Client) -> None:
    body = api.get(
        "/integrations?page=1&pageSize=100&query=sourceType%3DAccounting%26%26enabled%3Dtrue"
    ).json()
    assert body["totalResults"] == len(body["results"]) > 3
    assert all(result["sourceType"] == "Accounting" and result["enabled"] for result in body["results"])
    assert {"gbol", "qhyg"} <= {result["key"] for result in body["results"]}
    other = api.get("/integrations", params={"query": "sourceType!=Accounting && name~STRIPE"}).json()
    assert [result["name"] for result in other["results"]] == ["Stripe"]


def test_a_list_is_ordered_on_demand(api: httpx.Client) -> None:
    names = [result["name"] for result in api.get("/integrations?orderBy=-name").json()["results"]]
    assert names == sorted(names, reverse=True)


def test_branding_leads_to_pictures_that_the_simulator_serves(api: httpx.Client) -> None:
    branding = api.get("/integrations/gbol/branding").json()
    images = [*branding["logo"].values(), *branding["button"].values()]
    assert len({image["image"]["src"] for image in images}) == 4
    with http_client(timeout_s=60) as browser:
        for image in images:
            assert image["image"]["alt"]
            picture = browser.get(image["image"]["src"])
            assert picture.headers["Content-Type"].startswith("image/svg+xml")
            assert picture.text.startswith("<svg")
        logo_url = api.get("/integrations/gbol").json()["logoUrl"]
        assert browser.get(logo_url).status_code == 200


def test_branding_of_an_unknown_platform_is_not_found(api: httpx.Client) -> None:
    assert_error(api.get("/integrations/zzzz/branding"), 404)
    assert_error(api.get("/integrations/zzzz"), 404)


def test_pages_have_5000_rows_at_most(api: httpx.Client) -> None:
    """Ours cut at 2,000: a client that asks for 5,000, as Codat lets it, would have seen less than there."""
    for wanted, given in (("5000", 5_000), ("9000", 5_000), ("", 100)):
        page = api.get("/integrations", params={"pageSize": wanted} if wanted else {}).json()
        assert page["pageSize"] == given
