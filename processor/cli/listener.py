"""A tiny consumer for demonstrations: it verifies what it is told, deduplicates, and prints it."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
from standardwebhooks import Webhook, WebhookVerificationError

NAME = "The listener of the demonstration"
WAIT_S = 30.0
MOST_BYTES = 1_000_000


class Listener:
    """Listens on a free port of this machine as long as the context lasts."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._secret: str | None = None
        self._seen: set[str] = set()
        self._types: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, name="listener", daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}/notifications"

    def __enter__(self) -> "Listener":
        """Begin to listen."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def subscribe(self, service_url: str, api_key: str) -> None:
        """Become a subscriber of the service, in place of the listeners of earlier demonstrations.

        Raises ``httpx.HTTPError`` when it does not work.
        """
        headers = {"Authorization": f"Bearer {api_key}"}
        with httpx.Client(base_url=service_url, headers=headers, timeout=10, trust_env=False) as service:
            listed = service.get("/v1/subscribers", params={"limit": 200}).raise_for_status()
            for one in listed.json()["items"]:
                if one["description"] == NAME:
                    service.delete(f"/v1/subscribers/{one['id']}").raise_for_status()
            answer = service.post("/v1/subscribers", json={"url": self.url, "description": NAME})
            self._secret = answer.raise_for_status().json()["secret"]

    def has_heard(self, types: Iterable[str], *, within_s: float = WAIT_S) -> bool:
        """Whether it was told each of these types, each as often as it is named, within some time."""
        wanted = Counter(types)
        with self._changed:
            return self._changed.wait_for(lambda: wanted <= self._types, within_s)

    def _hear(self, raw: bytes, headers: dict[str, str]) -> int:
        """The answer to one message."""
        if self._secret is None:
            return 503
        try:
            Webhook(self._secret).verify(raw, headers, json_parse=False)
            body = json.loads(raw)
        except (WebhookVerificationError, ValueError):
            self._say("  listener: a message that could not be verified")
            return 400
        with self._changed:
            if body["id"] not in self._seen:
                self._seen.add(body["id"])
                self._types[body["type"]] += 1
                self._say(f"  heard: {body['type']} ({body['id']}, signature verified)")
                self._changed.notify_all()
        return 204

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = min(int(self.headers.get("Content-Length") or 0), MOST_BYTES)
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(listener._hear(self.rfile.read(length), headers))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler
