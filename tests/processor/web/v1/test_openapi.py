"""The description at ``/openapi.json`` is valid, and the API does what it says."""

import copy
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection, positive_data_acceptance
from schemathesis.specs.openapi.definitions import OPENAPI_31

from handlers.registry import Policy
from processor.simulator import SimulatorConfig, SimulatorServer
from tests.processor.web.v1.filling import CANCELLED, KEY, Filling
from tests.support.effort import examples

HEADERS = {"Authorization": f"Bearer {KEY}", "Accept-Encoding": "identity"}
"""Schemathesis asks a WSGI application for gzip and does not decompress what it gets."""
EXAMPLES = 4
OPAQUE = [positive_data_acceptance, negative_data_rejection, ignored_auth]
"""No schema can say which texts are cursors, so texts that fit the schema may still be refused. And what
is wrong with a call may be its key alone, which every call here replaces with the right one. Wrong keys, sent
after each call, would soon be answered 429; they have tests of their own."""


@pytest.fixture
def codat() -> Iterator[SimulatorServer]:
    """A Codat that knows nobody yet."""
    with SimulatorServer(SimulatorConfig(api_key="key-of-codat")) as server:
        yield server


@pytest.fixture
def full(redis_url: str, codat: SimulatorServer) -> Iterator[Filling]:
    """A store with something of everything, made anew for each test: what one adds another would meet."""
    filling = Filling(redis_url, CODAT_API_KEY="key-of-codat", CODAT_API_URL=codat.url)
    filling.make_ready("xero")
    filling.tell("connection.failed", "cancelled", said={"dataConnectionErrors": [CANCELLED]})
    filling.tell("read.completed", "xero", dataTypes=[{"connectionId": "xero", "dataType": "bills"}])
    filling.drain()
    filling.policy = Policy(can_ask=True)
    filling.tell("connection.disconnected", "xero", said={"status": "Deauthorized"})
    filling.drain()
    filling.let_die("dead")
    filling.accept_broken("failed")
    filling.drain()
    filling.accept(b"not understood", "quarantined")
    filling.tell("connection.deleted", "deleted", company="c2")
    filling.tell("company.deleted", company="c2")
    filling.drain()
    filling.tell("connection.created", "pending", company="c3")
    yield filling
    filling.close()


@pytest.fixture
def document(full: Filling) -> dict[str, Any]:
    answer = full.app.test_client().get("/openapi.json")
    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    result = answer.json
    assert isinstance(result, dict)
    return result


@pytest.fixture
def api(full: Filling) -> Any:
    return schemathesis.openapi.from_wsgi("/openapi.json", full.app)


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    validator = jsonschema_rs.Draft202012Validator(OPENAPI_31)
    validator.validate(document)
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
    broken = copy.deepcopy(document)
    del broken["info"]["title"]
    with pytest.raises(jsonschema_rs.ValidationError):
        validator.validate(broken)


def test_every_call_asks_for_a_bearer_key(document: dict[str, Any]) -> None:
    assert document["security"] == [{"bearer": []}]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    for calls in document["paths"].values():
        for call in (calls[method] for method in ("get", "post") if method in calls):
            assert "security" not in call
            assert {"401", "422", "503", "default"} <= set(call["responses"])
            assert call["summary"]
            assert call["operationId"]


def test_the_document_describes_exactly_the_calls_that_there_are(
    full: Filling, document: dict[str, Any]
) -> None:
    served = {
        (rule.rule.replace("<", "{").replace(">", "}"), method.lower())
        for rule in full.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/v1")
    }
    described = {
        (path, method)
        for path, calls in document["paths"].items()
        for method in calls
        if method != "parameters"
    }
    assert described == served


def test_the_document_needs_no_key_and_loads_nothing_from_elsewhere(full: Filling) -> None:
    text = full.app.test_client().get("/openapi.json").text
    assert "cdn" not in text.lower()


def test_what_is_there_has_the_described_shape(full: Filling, api: Any) -> None:
    ids = {
        "connection_id": ["xero", "cancelled", "deleted", "none"],
        "company_id": ["c1", "c2", "none"],
        "event_id": ["msg_1", "dead", "failed", "quarantined", "none"],
        "notification_id": ["none"],
        "subscriber_id": ["none"],
    }
    listed = full.app.test_client().get("/v1/notifications", headers=HEADERS).json
    assert listed
    ids["notification_id"] += [item["id"] for item in listed["items"]]
    statuses: list[int] = []
    for result in api.get_all_operations():
        operation = result.ok()
        named = [parameter.name for parameter in operation.path_parameters]
        for id_ in ids[named[0]] if named else [""]:
            case = operation.Case(path_parameters=dict.fromkeys(named, id_))
            answer = case.call(headers=HEADERS)
            case.validate_response(answer, headers=HEADERS, excluded_checks=OPAQUE)
            statuses.append(answer.status_code)
    assert set(statuses) == {200, 202, 204, 404, 409, 422}


# Threads of ours draw random numbers (jitter) while Hypothesis looks whether its strategies do.
@pytest.mark.filterwarnings("ignore:Do not use the .random. module inside strategies")
@pytest.mark.timeout(900)  # minutes on a machine that does much besides
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_nothing_that_anybody_sends_leads_to_a_500(api: Any, mode: GenerationMode) -> None:
    """Fitting and unfitting parameters, as the document describes them; each answer has a described shape."""
    operations = list(api.get_all_operations())
    assert len(operations) > 20
    for result in operations:

        @given(result.ok().as_strategy(generation_mode=mode))
        @settings(
            max_examples=examples(EXAMPLES, fewest=1),  # of each of the calls, of which there are many
            suppress_health_check=list(HealthCheck),
            deadline=None,
        )
        def probe(case: schemathesis.Case) -> None:
            answer = case.call(headers=HEADERS)
            assert answer.status_code < 500
            case.validate_response(answer, headers=HEADERS, excluded_checks=OPAQUE)

        probe()
