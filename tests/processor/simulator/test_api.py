"""The API over HTTP: what it gives, what it refuses, and in which form."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from processor.simulator import SimulatorClient, SimulatorServer
from processor.simulator.clients import http_client
from tests.processor.simulator.calling import assert_error, create_company, create_connection


@pytest.mark.parametrize("authorization", [None, "Basic wrong", "Bearer x", "Basic c2ltdWxhdG9yLWFwaS1rZXk"])
def test_without_the_right_key_every_call_is_refused(
    server: SimulatorServer, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    with http_client(base_url=server.url, headers=headers, timeout_s=60) as http:
        assert_error(http.get("/companies"), 401)


def test_every_answer_shows_the_quota_and_one_date(make_server: Callable[..., SimulatorServer]) -> None:
    server = make_server(clock=lambda: 1_800_000_000.0)
    headers = {"Authorization": server.config.api_authorization}
    with http_client(base_url=server.url, headers=headers) as api, SimulatorClient(server.url) as control:
        company_id = create_company(api)
        first = api.get("/companies").headers
        control.change(create_connection(api, company_id), "authorize")
        second = api.get("/companies").headers
    assert (first["X-Rate-Limit-Limit"], first["X-Rate-Limit-Remaining"]) == ("1000", "998")
    assert (second["X-Rate-Limit-Limit"], second["X-Rate-Limit-Remaining"]) == ("2000", "1996")
    assert second["X-Rate-Limit-Reset"] == "1800057600"
    assert second.get_list("Date") == ["Fri, 15 Jan 2027 08:00:00 GMT"]


@pytest.mark.parametrize("name", ["Bob's Bikes, Ltd.", "A & B - C", "What? Yes! mail@shop", "7"])
def test_names_that_codat_allows_make_a_company(api: httpx.Client, name: str) -> None:
    company_id = create_company(api, name)
    assert api.get(f"/companies/{company_id}").json()["name"] == name


@pytest.mark.parametrize("name", ["", "under_score", "colon: no", "Zoë", "a/b", None, 7, ["x"]])
def test_names_that_codat_does_not_allow_are_refused(api: httpx.Client, name: object) -> None:
    assert_error(api.post("/companies", json={"name": name}), 400)


@pytest.mark.parametrize(
    "tags",
    [
        {f"t{number}": "x" for number in range(11)},
        {"k" * 28: "x"},
        {"": "x"},
        {"k": "v" * 101},
        {"k": 1},
        {"k": "line\nbreak"},
        ["k"],
    ],
)
def test_tags_outside_of_the_limits_are_refused(api: httpx.Client, tags: object) -> None:
    assert_error(api.post("/companies", json={"name": "Shop", "tags": tags}), 400)


def test_tags_at_the_limits_are_kept(api: httpx.Client) -> None:
    tags = {f"{number}".rjust(27, "k"): "v" * 100 for number in range(10)}
    company_id = create_company(api, **tags)
    assert api.get(f"/companies/{company_id}").json()["tags"] == tags


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"text"', b"\xff"])
def test_a_body_that_is_no_object_is_refused(api: httpx.Client, body: bytes) -> None:
    assert_error(api.post("/companies", content=body), 400)


def test_a_deleted_company_is_gone_with_its_connections(api: httpx.Client) -> None:
    company_id = create_company(api)
    connection_id = create_connection(api, company_id)
    assert api.delete(f"/companies/{company_id}").status_code == 204
    assert_error(api.get(f"/companies/{company_id}"), 404)
    assert_error(api.get(f"/companies/{company_id}/connections/{connection_id}"), 404)
    assert_error(api.delete(f"/companies/{company_id}"), 404)
    assert api.get("/companies").json()["totalResults"] == 0


def test_a_new_connection_waits_for_authorisation_with_a_link(api: httpx.Client) -> None:
    company_id = create_company(api)
    answer = api.post(f"/companies/{company_id}/connections", json={"platformKey": "qhyg"}).json()
    assert answer["status"] == "PendingAuth"
    assert answer["sourceType"] == "Accounting"
    assert answer["platformName"] == "QuickBooks Online"
    assert answer["integrationKey"] == "qhyg"
    assert "?otp=" in answer["linkUrl"]


@pytest.mark.parametrize("body", [{}, {"platformKey": "zzzz"}, {"platformKey": "exon"}, {"platformKey": 7}])
def test_unknown_and_disabled_platforms_are_refused(api: httpx.Client, body: object) -> None:
    assert_error(api.post(f"/companies/{create_company(api)}/connections", json=body), 400)


def test_a_second_active_accounting_connection_is_refused(
    api: httpx.Client, control: SimulatorClient
) -> None:
    company_id = create_company(api)
    waiting, linked = create_connection(api, company_id), create_connection(api, company_id, "qhyg")
    control.change(linked, "authorize")
    assert_error(api.post(f"/companies/{company_id}/connections", json={"platformKey": "fbrh"}), 400)
    with pytest.raises(httpx.HTTPStatusError, match="400"):
        control.change(waiting, "authorize")
    for key in ("strp", "sqre", "pldx", "trlr"):
        control.change(create_connection(api, company_id, key), "authorize")
    control.change(linked, "unlink")
    control.change(waiting, "authorize")


def test_each_look_at_a_connection_gives_a_fresh_link(api: httpx.Client) -> None:
    company_id = create_company(api)
    path = f"/companies/{company_id}/connections/{create_connection(api, company_id)}"
    assert len({api.get(path).json()["linkUrl"] for _ in range(5)}) == 5


def test_only_a_linked_connection_can_be_unlinked(api: httpx.Client, control: SimulatorClient) -> None:
    company_id = create_company(api)
    connection_id = create_connection(api, company_id)
    path = f"/companies/{company_id}/connections/{connection_id}"
    assert_error(api.patch(path, json={"status": "Unlinked"}), 400)
    control.change(connection_id, "authorize")
    assert_error(api.patch(path, json={"status": "Linked"}), 400)
    assert api.patch(path, json={"status": "Unlinked"}).json()["status"] == "Unlinked"
    assert_error(api.patch(path, json={"status": "Unlinked"}), 400)


def test_a_deleted_connection_is_listed_nowhere(api: httpx.Client, control: SimulatorClient) -> None:
    company_id = create_company(api)
    connection_id = create_connection(api, company_id)
    control.change(connection_id, "authorize")
    control.change(connection_id, "complete-sync")
    path = f"/companies/{company_id}/connections/{connection_id}"
    assert api.delete(path).status_code == 200
    assert_error(api.get(path), 404)
    assert_error(api.delete(path), 404)
    assert api.get(f"/companies/{company_id}/connections").json()["results"] == []
    assert api.get(f"/companies/{company_id}/data/history").json()["results"] == []
    assert api.get(f"/companies/{company_id}").json()["dataConnections"] == []


def test_a_connection_belongs_to_its_company_alone(api: httpx.Client) -> None:
    connection_id = create_connection(api, create_company(api))
    assert_error(api.get(f"/companies/{create_company(api)}/connections/{connection_id}"), 404)


def test_history_and_status_show_how_reading_went(api: httpx.Client, control: SimulatorClient) -> None:
    company_id = create_company(api)
    connection_id, other = create_connection(api, company_id), create_connection(api, company_id, "strp")
    for item in (connection_id, other):
        control.change(item, "authorize")
    control.change(other, "complete-sync")
    control.change(connection_id, "start-sync")
    path = f"/companies/{company_id}/data/history"
    query = {"query": f"connectionId={connection_id}"}
    running = api.get(path, params=query).json()["results"]
    assert len(running) == 8
    assert all(
        not item["isCompleted"] and not item["isErrored"] and "completed" not in item for item in running
    )
    control.change(connection_id, "complete-sync", outcomes={"invoices": "Complete", "bills": "FetchError"})
    ended = {result["dataType"]: result for result in api.get(path, params=query).json()["results"]}
    assert len(ended) == 8
    assert ended["invoices"]["isCompleted"]
    assert not ended["invoices"]["isErrored"]
    assert ended["bills"]["isErrored"]
    assert "bills" in ended["bills"]["errorMessage"]
    assert ended["customers"]["status"] == "NotSupported"
    assert all(
        value["progress"] == 100 and value["completed"] > value["requested"] for value in ended.values()
    )
    assert all(value["connectionId"] == connection_id for value in ended.values())
    statuses = api.get(f"/companies/{company_id}/dataStatus").json()
    assert statuses["invoices"]["currentStatus"] == "Complete"
    assert statuses["invoices"]["latestSyncId"] == statuses["invoices"]["latestSuccessfulSyncId"]
    assert statuses["bills"]["currentStatus"] == "FetchError"
    assert "lastSuccessfulSync" not in statuses["bills"]
    assert "commerce-orders" in statuses
    one_dataset = api.get(f"{path}/{ended['bills']['id']}").json()
    assert one_dataset == ended["bills"]
    assert_error(api.get(f"{path}/{connection_id}"), 404)


def test_reading_again_ends_by_itself(
    api: httpx.Client, control: SimulatorClient, server: SimulatorServer
) -> None:
    company_id = create_company(api)
    connection_id = create_connection(api, company_id)
    control.change(connection_id, "authorize")
    control.change(connection_id, "complete-sync")
    assert api.post(f"/companies/{company_id}/data/all").status_code == 204
    path = f"/companies/{company_id}/data/history"
    assert api.get(path).json()["totalResults"] == 16
    assert server.simulation.wait_until_idle(60)
    statuses = [result["status"] for result in api.get(path).json()["results"]]
    assert statuses == ["Complete"] * 16


def test_consumers_are_kept_listed_and_removed(api: httpx.Client) -> None:
    wanted = {"url": "https://shop.example/hook", "eventTypes": ["read.completed"], "companyTags": ["a:b"]}
    answer = api.post("/webhooks", json=wanted)
    assert answer.status_code == 201
    consumer = answer.json()
    assert {**wanted, "disabled": False, "id": consumer["id"]} == consumer
    configured, *registered = api.get("/webhooks").json()["results"]
    assert configured["url"].endswith("/webhooks/codat")  # as if set up in the portal
    assert configured["disabled"] is False
    assert registered == [consumer]
    assert api.delete(f"/webhooks/{consumer['id']}").status_code == 204
    assert_error(api.delete(f"/webhooks/{consumer['id']}"), 404)


def test_there_are_fifty_consumers_at_most(api: httpx.Client) -> None:
    for number in range(50):
        assert api.post("/webhooks", json={"url": f"https://shop.example/{number}"}).status_code == 201
    assert_error(api.post("/webhooks", json={"url": "https://shop.example/50"}), 400)


@pytest.mark.parametrize(
    "body", [{}, {"url": "ftp://x"}, {"url": "https://x", "eventTypes": "read.completed"}]
)
def test_consumers_that_make_no_sense_are_refused(api: httpx.Client, body: object) -> None:
    assert_error(api.post("/webhooks", json=body), 400)


def test_unknown_addresses_and_methods_are_refused_in_codats_form(api: httpx.Client) -> None:
    assert_error(api.get("/nothing/here"), 404)
    assert_error(api.put("/webhooks"), 405)


def test_whoever_is_slow_to_send_a_body_holds_nobody_up(api: httpx.Client) -> None:
    """The lock of the world was held until it had come, and every other call waited."""
    parts = [b"{", b'"name": "Corner Shop"}']

    def body() -> Iterator[bytes]:
        yield parts[0]
        for _ in range(5):
            assert api.get("/companies").json()["totalResults"] == 0
        yield parts[1]

    headers = {"Content-Length": str(sum(map(len, parts))), "Content-Type": "application/json"}
    assert api.post("/companies", content=body(), headers=headers).json()["name"] == "Corner Shop"
