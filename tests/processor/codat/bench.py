"""A client whose answers are written down, whose clock stands still, and which never really waits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import respx

from processor.codat.client import CodatClient

BASE = "https://codat.example"
COMPANY = "0a1b2c3d-0000-4000-8000-000000000001"
CONNECTION = "0a1b2c3d-0000-4000-8000-0000000000c1"
API_KEY = "made-up-key:for/tests"
OURS = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
THEIRS = datetime(2026, 11, 22, 15, 10, 7, tzinfo=UTC)
DATE = {"Date": "Sun, 22 Nov 2026 15:10:07 GMT"}


Calls = Mapping[str, Callable[[], object]]
"""Calls of the client by their names."""


@dataclass
class Bench:
    """The client, the answers it gets, and how long it paused."""

    client: CodatClient
    make_client: Callable[..., CodatClient]
    router: respx.MockRouter
    pauses: list[float] = field(default_factory=list)
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
