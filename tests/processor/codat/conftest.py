"""A client whose answers are written down, whose clock stands still, and which never really waits."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import respx

from processor.codat.client import CodatClient
from processor.codat.http import CodatHttp
from tests.processor.codat.bench import API_KEY, BASE, COMPANY, CONNECTION, OURS, Bench, Calls


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A client that talks to a router; 20 s of budget, and a clock that only pauses move."""
    router = respx.MockRouter(assert_all_called=False)
    passed = [0.0]
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
            "sleep": sleep,
            "clock": lambda: OURS,
            "monotonic": lambda: passed[0],
            "jitter": lambda: 0.0,
        }
        return CodatClient(CodatHttp(**options | changes))

    with make_client() as client:
        yield Bench(client, make_client, router, pauses)


@pytest.fixture
def reading(bench: Bench) -> Calls:
    """Each call that reads."""
    client = bench.client
    return {
        "get_company": lambda: client.get_company(COMPANY),
        "find_companies": lambda: list(client.find_companies()),
        "find_company_by_tag": lambda: client.find_company_by_tag("merchantId", "m-1"),
        "get_connection": lambda: client.get_connection(COMPANY, CONNECTION),
        "list_connections": lambda: client.list_connections(COMPANY),
        "get_data_status": lambda: client.get_data_status(COMPANY),
        "get_account_name": lambda: client.get_account_name(COMPANY),
        "get_history": lambda: client.get_history(COMPANY, CONNECTION),
        "list_integrations": lambda: client.list_integrations(),
        "get_branding": lambda: client.get_branding("gbol"),
        "list_webhooks": lambda: client.list_webhooks(),
        "ping": lambda: client.ping(),
    }


@pytest.fixture
def writing(bench: Bench) -> Calls:
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
        "add_product": lambda: client.add_product(COMPANY, "lending"),
        "remove_product": lambda: client.remove_product(COMPANY, "lending"),
        "refresh_product": lambda: client.refresh_product(COMPANY, "lending"),
    }
