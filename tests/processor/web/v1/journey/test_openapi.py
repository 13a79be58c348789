"""The answers of the journey have the shapes that ``/openapi.json`` describes, on every branch."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from flask import Flask
from schemathesis.specs.openapi.checks import ignored_auth

from processor.settings.definitions import Settings
from processor.settings.loading import load
from processor.simulator import SimulatorServer
from tests.support.applications import lent_app
from tests.support.journeying import CODAT_KEY, serving_journeys, working
from tests.support.serving import ENVIRON

HEADERS = {"Authorization": "Bearer key-of-a-caller", "Accept-Encoding": "identity"}
"""Schemathesis asks a WSGI application for gzip and does not decompress what it gets."""

Call = Callable[..., Any]


@pytest.fixture
def settings(redis_url: str, codat: SimulatorServer) -> Settings:
    given = {"CODAT_API_KEY": CODAT_KEY, "CODAT_API_URL": codat.url, "API_KEYS": "key-of-a-caller"}
    return load({**ENVIRON, **given, "REDIS_URL": redis_url})


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    container = serving_journeys(settings)
    with working(settings):
        yield lent_app(container)
    container.redis.close()
    assert container.codat is not None
    container.codat.close()


@pytest.fixture
def call(app: Flask) -> Call:
    """Makes a described call and holds its answer against the description; the parsed answer."""
    api = schemathesis.openapi.from_wsgi("/openapi.json", app)

    def call(status: int, method: str, path: str, body: Any = None, **ids: str) -> Any:
        more = {} if body is None else {"body": body, "media_type": "application/json"}
        case = api[path][method].Case(path_parameters=ids, **more)
        answer = case.call(headers=HEADERS)
        assert answer.status_code == status, answer.text
        if status < 500:
            case.validate_response(answer, headers=HEADERS, excluded_checks=[ignored_auth])  # 429 after some
        return answer.json() if answer.content else None

    return call


def test_every_branch_answers_as_described(call: Call, codat: SimulatorServer) -> None:
    companies, connections = "/v1/companies", "/v1/companies/{company_id}/connections"
    wish = {"merchant_id": "m_1", "contact_email": "a@b.co", "tags": {"region": "uk"}}
    company_id = call(201, "POST", companies, wish)["company_id"]
    call(200, "POST", companies, {"merchant_id": "m_1", "name": None, "tags": None})
    call(200, "GET", "/v1/integrations")
    xero = call(201, "POST", connections, {"platform_key": "gbol"}, company_id=company_id)["id"]
    call(200, "POST", connections, {"platform_key": "gbol", "parameters": {"a": "b"}}, company_id=company_id)
    call(404, "POST", connections, {"platform_key": "gbol"}, company_id="nobody")
    call(200, "GET", "/v1/companies/{company_id}/sync", company_id=company_id)
    call(200, "GET", "/v1/companies/{company_id}/journey", company_id=company_id)
    call(200, "GET", "/v1/companies/{company_id}/consents", company_id=company_id)
    call(404, "GET", "/v1/companies/{company_id}/consents", company_id="nobody")
    call(422, "POST", companies, {"merchant_id": "m_1", "return_url": "https://evil.example"})
    call(409, "POST", "/v1/connections/{connection_id}/unlink", connection_id=xero)
    codat.simulation.change(xero, "authorize", {})
    call(200, "POST", "/v1/connections/{connection_id}/link", {}, connection_id=xero)
    call(409, "POST", connections, {"platform_key": "qhyg"}, company_id=company_id)
    codat.simulation.change(xero, "start-sync", {})
    call(200, "GET", "/v1/companies/{company_id}/sync", company_id=company_id)
    call(200, "GET", "/v1/companies/{company_id}/journey", company_id=company_id)
    call(200, "GET", "/v1/companies/{company_id}/consents", company_id=company_id)
    call(404, "GET", "/v1/companies/{company_id}/consents", company_id="nobody")
    call(422, "POST", companies, {"merchant_id": "m_1", "return_url": "https://evil.example"})
    codat.simulation.faults.plan({"method": "PATCH", "status": 402})
    call(502, "POST", "/v1/connections/{connection_id}/unlink", connection_id=xero)
    call(200, "POST", "/v1/connections/{connection_id}/unlink", connection_id=xero)
    call(200, "GET", "/v1/connections/{connection_id}/timeline", connection_id=xero)
    call(204, "DELETE", "/v1/connections/{connection_id}", connection_id=xero)
    call(404, "DELETE", "/v1/connections/{connection_id}", connection_id=xero)
    call(204, "DELETE", "/v1/companies/{company_id}", company_id=company_id)
    call(404, "GET", "/v1/companies/{company_id}/sync", company_id=company_id)
