"""Every request of ours and every answer that we are tried with fit Codat's published OpenAPI file."""

import json
import re
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, unquote

import httpx
import jsonschema_rs
import pytest

from processor.codat.client import CodatClient
from processor.codat.http import CodatHttp
from processor.errors import CodatError
from processor.simulator import SimulatorConfig, SimulatorServer
from tests.support import codat_openapi


def as_json_schema(node: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema, which says ``null`` in another way."""
    if isinstance(node, list):
        return [as_json_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    turned = {key: as_json_schema(value) for key, value in node.items() if key != "nullable"}
    return {"anyOf": [turned, {"type": "null"}]} if node.get("nullable") is True else turned


class Inspector(httpx.BaseTransport):
    """Passes calls on, and holds each against the file."""

    def __init__(self, spec: dict[str, Any], inner: httpx.BaseTransport) -> None:
        self._raw, self._spec, self._inner = spec, as_json_schema(spec), inner
        self.operations: set[str] = set()
        self.statuses: set[int] = set()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        template, operation, values = self._operation(request)
        self.operations.add(f"{request.method} {template}")
        path = self._raw["paths"][template]
        parameters = [self._resolved(item) for item in path.get("parameters", ())]
        parameters += [self._resolved(item) for item in operation.get("parameters", ())]
        self._check_parameters(parameters, values, "path")
        query = dict(parse_qsl(request.url.query.decode(), keep_blank_values=True))
        self._check_parameters(parameters, query, "query")
        content = request.read()
        if "requestBody" in operation:
            self._check(operation["requestBody"], json.loads(content))
            assert request.headers["Content-Type"] == "application/json"
        else:
            assert content == b""
        response = self._inner.handle_request(request)
        response.read()
        self.statuses.add(response.status_code)
        documented = operation["responses"].get(str(response.status_code))
        assert documented is not None or response.status_code in (400, 409), response.status_code
        if documented is not None and response.content:
            self._check(self._resolved(documented), response.json())
        return response

    def validate(self, schema: str, value: object) -> None:
        """Hold a value against one of the file's schemas."""
        self._valid({"$ref": f"#/components/schemas/{schema}"}, value)

    def _operation(self, request: httpx.Request) -> tuple[str, dict[str, Any], dict[str, str]]:
        path = request.url.raw_path.decode().split("?")[0]
        for template, operations in self._raw["paths"].items():
            pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(template))
            match = re.fullmatch(pattern, path)
            if match and request.method.lower() in operations:
                values = {name: unquote(value) for name, value in match.groupdict().items()}
                return template, operations[request.method.lower()], values
        raise AssertionError(f"Codat has no {request.method} {path}")

    def _check_parameters(self, parameters: list[Any], values: dict[str, str], place: str) -> None:
        known = {parameter["name"]: parameter for parameter in parameters if parameter["in"] == place}
        assert set(values) <= set(known)
        for name, text in values.items():
            schema = as_json_schema(known[name]["schema"])
            value: object = text
            if schema.get("type") == "integer":
                value = int(text)
            self._valid(schema, value)

    def _check(self, holder: dict[str, Any], value: object) -> None:
        for media in holder.get("content", {}).values():
            self._valid(as_json_schema(media["schema"]), value)

    def _valid(self, schema: dict[str, Any], value: object) -> None:
        whole = {**self._spec, "allOf": [schema]}
        jsonschema_rs.Draft202012Validator(whole, validate_formats=True).validate(value)

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            target: Any = self._raw
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[unquote(part).replace("~1", "/").replace("~0", "~")]
            node = target
        return node


@pytest.fixture(scope="module")
def spec() -> dict[str, Any]:
    return codat_openapi.spec()


@pytest.mark.skipif(not codat_openapi.PUBLISHED.exists(), reason="there is nothing to compare with")
def test_the_excerpt_is_what_codat_publishes():
    assert codat_openapi.excerpt() == codat_openapi.excerpt_of(codat_openapi.published())


@pytest.fixture
def samples(bench, spec):
    return Inspector(spec, httpx.MockTransport(bench.router.handler)), bench


def test_the_answers_of_these_tests_are_codats(samples):
    inspector, bench = samples

    inspector.validate("Connection", bench.connection())
    inspector.validate("Company", bench.company())
    inspector.validate("PullOperations", bench.page([bench.dataset()]))
    inspector.validate("ErrorMessage", bench.error(404).json())


def test_the_inspector_can_fail(samples):
    inspector, bench = samples

    for schema, value in (
        ("Connection", bench.connection(status="Sleeping")),
        ("Connection", bench.connection(id="7")),
        ("Connection", {"id": bench.connection_id}),
        ("PullOperations", {"results": []}),
    ):
        with pytest.raises(jsonschema_rs.ValidationError):
            inspector.validate(schema, value)
    for method, path, body in (
        ("GET", "/compnies", None),
        ("GET", "/companies?pagesize=1", None),
        ("GET", "/companies?pageSize=0", None),
        ("POST", "/companies", {"name": "under_score"}),
        ("PATCH", f"/companies/{bench.company_id}/connections/{bench.connection_id}", {"status": "Off"}),
    ):
        request = httpx.Request(method, bench.base + path, json=body)
        with pytest.raises((AssertionError, jsonschema_rs.ValidationError)):
            inspector.handle_request(request)


def test_every_call_and_every_answer_of_the_simulator_fits(spec):
    config = SimulatorConfig(auto_sync=True, sync_s=0.0)
    with SimulatorServer(config) as codat:
        inspector = Inspector(spec, httpx.HTTPTransport())
        with CodatClient(
            CodatHttp(api_key=config.api_key, base_url=codat.url, transport=inspector)
        ) as client:
            company = client.create_company("Greengrocers", {"merchantId": "m_1"})
            client.get_company(company.id)
            connection = client.create_connection(company.id, "gbol")
            with suppress(CodatError):
                client.unlink(company.id, connection.id)
            httpx.post(f"{codat.url}/simulator/connections/{connection.id}/authorize", trust_env=False)
            httpx.post(f"{codat.url}/simulator/connections/{connection.id}/complete-sync", trust_env=False)
            assert client.get_history(company.id, connection.id).datasets
            assert client.get_data_status(company.id)
            client.get_connection(company.id, connection.id)
            client.list_connections(company.id)
            list(client.find_companies(page_size=1))
            assert client.find_company_by_tag("merchantId", "m_1") is not None
            client.list_integrations()
            client.get_branding("gbol")
            webhook = client.create_webhook("https://us.example/hook", ["read.completed"])
            client.list_webhooks()
            client.delete_webhook(webhook.id)
            client.unlink(company.id, connection.id)
            client.delete_connection(company.id, connection.id)
            with suppress(CodatError):
                client.get_connection(company.id, connection.id)
            client.delete_company(company.id)
    assert len(inspector.operations) == 16
    assert {200, 201, 204, 400, 404} <= inspector.statuses
