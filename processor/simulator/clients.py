"""HTTP clients of the simulator, and of stories: for its control API and for ``/v1`` of the product."""

import ssl
from collections.abc import Mapping
from functools import cache
from typing import Self

import httpx

from processor.simulator.platforms import JsonObject

_PAGE = 200
TIMEOUT_S = 30.0


@cache
def _tls() -> ssl.SSLContext:
    """The usual certificates, read once: reading them takes longer than most tests."""
    return httpx.create_ssl_context()


def http_client(
    *, base_url: str = "", headers: Mapping[str, str] | None = None, timeout_s: float = 5.0
) -> httpx.Client:
    """A client without the proxies of the environment."""
    return httpx.Client(base_url=base_url, headers=headers, timeout=timeout_s, verify=_tls(), trust_env=False)


class JsonClient:
    """Calls of one server, at ``url`` and with these ``headers``, until the context ends."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self._http = http_client(base_url=url, headers=headers, timeout_s=TIMEOUT_S)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, method: str, path: str, body: object = None, **query: object) -> JsonObject:
        given = {name: str(value) for name, value in query.items() if value is not None}
        answer = self._http.request(method, path, json=body, params=given)
        answer.raise_for_status()
        answer_body = answer.json()
        if not isinstance(answer_body, dict):
            raise httpx.DecodingError(f"Not a JSON object at {path}", request=answer.request)
        return answer_body


class SimulatorClient(JsonClient):
    """The control API; every call raises ``httpx.HTTPError`` where the simulator refuses or is away."""

    def create_company(self, name: str, tags: Mapping[str, str] | None = None, **options: object) -> str:
        """Add a company; its id."""
        body = {"name": name, "tags": dict(tags or {}), **options}
        return str(self._call("POST", "/simulator/companies", body)["company_id"])

    def delete_company(self, company_id: str, **options: object) -> None:
        """Remove a company with its connections."""
        self._call("DELETE", f"/simulator/companies/{company_id}", options)

    def connect(self, company_id: str, platform_key: str, **options: object) -> str:
        """Choose a platform; the id of the new connection."""
        path = f"/simulator/companies/{company_id}/connections"
        return str(self._call("POST", path, {"platform_key": platform_key, **options})["connection_id"])

    def change(self, connection_id: str, name: str, **options: object) -> None:
        """Make something happen to a connection."""
        self._call("POST", f"/simulator/connections/{connection_id}/{name}", options)

    def disturb(self, **chaos: object) -> JsonObject:
        """Change how messages are disturbed; everything about it."""
        return self._call("PATCH", "/simulator/chaos", chaos)

    def chaos(self) -> JsonObject:
        """How messages are disturbed."""
        return self._call("GET", "/simulator/chaos")

    def release(self, *, shuffle: bool | None = None) -> int:
        """Send what was held back; how many messages that were."""
        return int(self._call("POST", "/simulator/release", {"shuffle": shuffle})["released"])

    def settings(self) -> JsonObject:
        """The generations that are sent, and whether and how long connections are read by themselves."""
        return self._call("GET", "/simulator/settings")

    def change_settings(self, **settings: object) -> JsonObject:
        """Change some of the settings; all of them."""
        return self._call("PATCH", "/simulator/settings", settings)

    def pending(self) -> int:
        """How many messages are still to be sent, later attempts included."""
        return int(self.deliveries()["pending"])

    def deliveries(self) -> JsonObject:
        """The log of the last attempts, newest first, with the numbers of pending and held messages."""
        return self._call("GET", "/simulator/deliveries")

    def truth(self) -> JsonObject:
        """How every company and connection really stands."""
        return self._call("GET", "/simulator/truth")

    def plan_fault(self, **fault: object) -> JsonObject:
        """Have the API fail on its next calls."""
        return self._call("POST", "/simulator/faults", fault)


class ProductClient(JsonClient):
    """The product's ``/v1`` as far as a story reads it; raises ``httpx.HTTPError`` like the other."""

    def __init__(self, url: str, api_key: str) -> None:
        super().__init__(url, {"Authorization": f"Bearer {api_key}"})

    def notifications(self, connection_id: str) -> list[JsonObject]:
        """All notifications of a connection, from all pages."""
        collected: list[JsonObject] = []
        cursor = None
        while True:
            query = {"connection_id": connection_id, "cursor": cursor, "limit": _PAGE}
            page = self._call("GET", "/v1/notifications", **query)
            collected += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return collected

    def connection(self, connection_id: str) -> JsonObject | None:
        """A connection as the product sees it; ``None`` where it does not know it (yet)."""
        try:
            return self._call("GET", f"/v1/connections/{connection_id}")
        except httpx.HTTPStatusError as error:
            if error.response.status_code == 404:
                return None
            raise

    def has_pending_events(self) -> bool:
        """Whether the product has messages that it has not dealt with yet."""
        return bool(self._call("GET", "/v1/events", status="pending", limit=1)["items"])
