"""Answers and messages have the shapes of Codat's published OpenAPI file."""

from typing import Any

import httpx
import jsonschema_rs
import pytest

from processor.simulator import SimulatorClient, SimulatorServer
from tests.processor.simulator.receiving import Receiver
from tests.support import codat_openapi


@pytest.fixture(scope="module")
def published() -> dict[str, Any]:
    return codat_openapi.spec()


def assert_fits(published: dict[str, Any], schema: str, value: object) -> None:
    whole = {**published, "$ref": f"#/components/schemas/{schema}"}
    jsonschema_rs.Draft202012Validator(whole, validate_formats=True).validate(value)


def test_a_wrong_answer_would_be_noticed(published: dict[str, Any]) -> None:
    with pytest.raises(jsonschema_rs.ValidationError):
        assert_fits(published, "Connection", {"id": "x", "status": "Linked", "unknown": 1})
    with pytest.raises(jsonschema_rs.ValidationError):
        assert_fits(published, "Companies", {"results": []})


def test_answers_have_the_published_shapes(
    published: dict[str, Any], api: httpx.Client, control: SimulatorClient
) -> None:
    company = api.post("/companies", json={"name": "Corner Shop", "tags": {"merchantId": "m-1"}}).json()
    path = f"/companies/{company['id']}"
    connection = api.post(f"{path}/connections", json={"platformKey": "gbol"}).json()
    assert_fits(published, "Company", company)
    assert_fits(published, "Connection", connection)
    assert_fits(published, "PullOperations", api.get(f"{path}/data/history").json())
    control.change(connection["id"], "fail", status_code=500)
    control.change(connection["id"], "authorize")
    control.change(connection["id"], "start-sync")
    assert_fits(published, "PullOperations", api.get(f"{path}/data/history").json())
    control.change(connection["id"], "complete-sync", outcomes={"bills": "AuthError", "invoices": "Complete"})
    assert_fits(published, "PullOperations", api.get(f"{path}/data/history").json())
    assert_fits(published, "DataStatuses", api.get(f"{path}/dataStatus").json())
    unlinked = api.patch(f"{path}/connections/{connection['id']}", json={"status": "Unlinked"}).json()
    assert_fits(published, "Connection", unlinked)
    assert unlinked["dataConnectionErrors"][0]["status"] == "Resolved"
    assert_fits(published, "Connections", api.get(f"{path}/connections").json())
    assert_fits(published, "Companies", api.get("/companies?page=1&pageSize=1").json())
    assert_fits(published, "Company", api.get(path).json())
    assert_fits(published, "Integrations", api.get("/integrations").json())
    assert_fits(published, "Integration", api.get("/integrations/gbol").json())
    assert_fits(published, "Branding", api.get("/integrations/gbol/branding").json())
    consumer = api.post("/webhooks", json={"url": "https://shop.example/hook"}).json()
    assert_fits(published, "WebhookConsumer", consumer)
    assert_fits(published, "WebhookConsumer/definitions/webhookConsumers", api.get("/webhooks").json())
    assert_fits(published, "ErrorMessage", api.get("/companies/nothing").json())
    assert_fits(published, "ErrorMessage", api.post("/companies", json={"name": "no_no"}).json())


def test_current_messages_have_the_published_shapes(
    published: dict[str, Any], server: SimulatorServer, control: SimulatorClient, receiver: Receiver
) -> None:
    company_id = control.create_company("Corner Shop", {"merchantId": "m-1"})
    connection_id = control.connect(company_id, "strp")
    for change in (
        "fail",
        "authorize",
        "complete-sync",
        "read",
        "deauthorize",
        "reauthorize",
        "unlink",
        "delete",
    ):
        control.change(connection_id, change)
    control.delete_company(company_id)
    assert server.simulation.wait_until_idle(60)
    assert len(receiver.received) == 11
    for request in receiver.received:
        kind = {"company": "CompanyWebhook", "read": "ReadCompletedWebhook"}.get(request.type.split(".")[0])
        assert_fits(published, kind or "ConnectionWebhook", request.body)
