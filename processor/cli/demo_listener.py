"""A small subscriber for demonstrations: it verifies, deduplicates and prints notifications."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
from standardwebhooks import Webhook, WebhookVerificationError

DESCRIPTION = "The listener of the demonstration"
MAX_WAIT_S = 30.0
MAX_BODY_BYTES = 1_000_000


class DemoListener:
    """Listens on a free local port during the context; ``echo`` prints a line."""

    def __init__(self, echo: Callable[[str], None]) -> None:
        self._echo = echo
        self._secret: str | None = None
        self._ids: set[str] = set()
        self._types: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, name="listener", daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}/notifications"

    def __enter__(self) -> "DemoListener":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def subscribe(self, service_url: str, api_key: str) -> None:
        """Register as a subscriber of the service and remove the listeners of earlier demonstrations.

        Raises ``httpx.HTTPError`` on failure.
        """
        headers = {"Authorization": f"Bearer {api_key}"}
        with httpx.Client(base_url=service_url, headers=headers, timeout=10, trust_env=False) as service:
            response = service.get("/v1/subscribers", params={"limit": 200}).raise_for_status()
            for subscriber in response.json()["items"]:
                if subscriber["description"] == DESCRIPTION:
                    service.delete(f"/v1/subscribers/{subscriber['id']}").raise_for_status()
            response = service.post("/v1/subscribers", json={"url": self.url, "description": DESCRIPTION})
            self._secret = response.raise_for_status().json()["secret"]

    def has_received(self, types: Iterable[str]) -> bool:
        """Wait until each of these types has arrived as often as it is listed; whether it has in time."""
        expected = Counter(types)
        with self._changed:
            return self._changed.wait_for(lambda: expected <= self._types, MAX_WAIT_S)

    def _receive(self, raw: bytes, headers: dict[str, str]) -> int:
        """Handle a request; its HTTP status."""
        if self._secret is None:
            return 503
        try:
            Webhook(self._secret).verify(raw, headers, json_parse=False)
            body = json.loads(raw)
        except (WebhookVerificationError, ValueError):
            self._echo("  listener: a message that could not be verified")
            return 400
        with self._changed:
            if body["id"] not in self._ids:
                self._ids.add(body["id"])
                self._types[body["type"]] += 1
                self._echo(f"  heard: {body['type']} ({body['id']}, signature verified)")
                self._changed.notify_all()
        return 204

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = min(int(self.headers.get("Content-Length") or 0), MAX_BODY_BYTES)
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(listener._receive(self.rfile.read(length), headers))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        return Handler
