"""A client whose answers are written down, whose clock stands still, and which never really waits."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import respx

from processor.codat.client import CodatClient
from processor.codat.quota import Quota

BASE = "https://codat.example"
COMPANY = "0a1b2c3d-0000-4000-8000-000000000001"
CONNECTION = "0a1b2c3d-0000-4000-8000-0000000000c1"
API_KEY = "made-up-key:for/tests"
OURS = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
THEIRS = datetime(2026, 11, 22, 15, 10, 7, tzinfo=UTC)
DATE = {"Date": "Sun, 22 Nov 2026 15:10:07 GMT"}


@dataclass
class Bench:
    """The client, the answers it gets, how long it paused, and the quotas that it told."""

    client: CodatClient
    make_client: Callable[..., CodatClient]
    router: respx.MockRouter
    pauses: list[float] = field(default_factory=list)
    quotas: list[Quota] = field(default_factory=list)
    company_id: str = COMPANY
    connection_id: str = CONNECTION
    api_key: str = API_KEY
    base: str = BASE
    ours: datetime = OURS
    theirs: datetime = THEIRS

    def answers(self, method: str, path: str, *answers: httpx.Response | Exception) -> respx.Route:
        """The answers to ``method path``, one after the other; the last one again and again."""
        left = list(answers)

        def next_answer(_: httpx.Request) -> httpx.Response:
            answer = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return self.router.route(method=method, url__startswith=BASE, path=path).mock(side_effect=next_answer)

    def json(self, body: object, status: int = 200, **headers: str) -> httpx.Response:
        """An answer of Codat's, with its clock."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.Response(status, json=body, headers={**DATE, **named})

    def error(self, status: int, text: str = "Something", **headers: str) -> httpx.Response:
        """An error in Codat's own form."""
        body = {"statusCode": status, "service": "Api", "error": text, "correlationId": "corr-1"}
        return self.json(body, status, **headers)

    def connection(self, **changes: object) -> dict[str, Any]:
        """A connection as Codat shows it."""
        return {
            "id": CONNECTION,
            "integrationId": "0a1b2c3d-0000-4000-8000-0000000000d1",
            "integrationKey": "gbol",
            "sourceId": "0a1b2c3d-0000-4000-8000-0000000000e1",
            "sourceType": "Accounting",
            "platformName": "Xero",
            "linkUrl": "https://link.codat.example/start?otp=123456",
            "status": "Linked",
            "created": "2026-11-20T10:00:00.1234567Z",
            "lastSync": "2026-11-21T10:00:00Z",
            **changes,
        }

    def company(self, **changes: object) -> dict[str, Any]:
        """A company as Codat shows it."""
        return {
            "id": COMPANY,
            "name": "Greengrocers",
            "redirect": f"https://link.codat.example/company/{COMPANY}",
            "created": "2026-11-20T09:00:00Z",
            "tags": {"merchantId": "m-1"},
            "dataConnections": [self.connection()],
            **changes,
        }

    def dataset(self, number: int = 1, **changes: object) -> dict[str, Any]:
        """A row of a read history."""
        return {
            "id": f"0a1b2c3d-0000-4000-8000-{number:012d}",
            "companyId": COMPANY,
            "connectionId": CONNECTION,
            "dataType": "invoices",
            "status": "Complete",
            "requested": "2026-11-20T10:00:01Z",
            "completed": "2026-11-20T10:00:09.5Z",
            "progress": 100,
            "isCompleted": True,
            "isErrored": False,
            **changes,
        }

    def page(
        self, rows: list[Any], *, number: int = 1, size: int = 100, total: int | None = None
    ) -> dict[str, Any]:
        """A page of a list."""
        return {
            "results": rows,
            "pageNumber": number,
            "pageSize": size,
            "totalResults": len(rows) if total is None else total,
            "_links": {"self": {"href": "/rows"}, "current": {"href": f"/rows?page={number}"}},
        }

    def calls(self) -> list[httpx.Request]:
        """Every request that left us."""
        return [call.request for call in self.router.calls]


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A client that talks to a router; 20 s of budget, and a clock that only pauses move."""
    router = respx.MockRouter(assert_all_called=False)
    passed = [0.0]
    quotas: list[Quota] = []
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        passed[0] += seconds

    def make_client(**changes: Any) -> CodatClient:
        options: dict[str, Any] = {
            "api_key": API_KEY,
            "base_url": BASE,
            "budget_s": 20.0,
            "transport": httpx.MockTransport(router.handler),
            "on_quota": quotas.append,
            "sleep": sleep,
            "clock": lambda: OURS,
            "monotonic": lambda: passed[0],
            "jitter": lambda: 0.0,
        }
        return CodatClient(**options | changes)

    with make_client() as client:
        yield Bench(client, make_client, router, pauses, quotas)


@pytest.fixture
def reading(bench: Bench) -> Mapping[str, Callable[[], object]]:
    """Each call that reads."""
    client = bench.client
    return {
        "get_company": lambda: client.get_company(COMPANY),
        "find_companies": lambda: list(client.find_companies()),
        "find_company_by_tag": lambda: client.find_company_by_tag("merchantId", "m-1"),
        "get_connection": lambda: client.get_connection(COMPANY, CONNECTION),
        "list_connections": lambda: client.list_connections(COMPANY),
        "get_data_status": lambda: client.get_data_status(COMPANY),
        "get_history": lambda: client.get_history(COMPANY, CONNECTION),
        "list_integrations": lambda: client.list_integrations(),
        "get_branding": lambda: client.get_branding("gbol"),
        "list_webhooks": lambda: client.list_webhooks(),
        "ping": lambda: client.ping(),
    }


@pytest.fixture
def writing(bench: Bench) -> Mapping[str, Callable[[], object]]:
    """Each call that changes something."""
    client = bench.client
    return {
        "create_company": lambda: client.create_company("Greengrocers", {"merchantId": "m-1"}),
        "delete_company": lambda: client.delete_company(COMPANY),
        "create_connection": lambda: client.create_connection(COMPANY, "gbol"),
        "unlink": lambda: client.unlink(COMPANY, CONNECTION),
        "delete_connection": lambda: client.delete_connection(COMPANY, CONNECTION),
        "create_webhook": lambda: client.create_webhook("https://us.example/hook", ["read.completed"]),
        "delete_webhook": lambda: client.delete_webhook(CONNECTION),
        "read_again": lambda: client.read_again(COMPANY),
    }
