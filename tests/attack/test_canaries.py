"""Secrets with a value that occurs nowhere else, looked for in all that the service says and keeps."""

import io
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.fernet import Fernet
from redis import Redis

from processor.access import operators
from processor.access.operators import Operator
from processor.cli import main
from processor.erasure.residue_scan import texts_in
from processor.runtime import logs
from processor.settings.people import USER, Role
from processor.store import encryption
from tests.attack.route_rules import Access, declared
from tests.processor.web.v1.filling import Filling
from workers.delivery.wiring import dispatcher_of

WEBHOOK_SECRET = "whsec_Q2FuYXJ5T2ZUaGVXZWJob29rU2VjcmV0MDE="
ADDED_SECRET = "whsec_Q2FuYXJ5T2ZBblNlY3JldFRoYXRXYXNBZGRlZA=="
API_KEY = "canary-of-the-api-key-8c1d"
CODAT_KEY = "canary-of-the-key-of-codat-51aa"
PASSWORD = "canary-of-the-password-77f0"
HEADER = "canary-of-a-subscribers-header-2be9"
QUERY = "canary-of-a-subscribers-query-90aa"
EMAIL = "canary-of-the-contact@merchant.example"
SIGNING_KEY = "canary-of-the-signing-key-d00d"
ENCRYPTION_KEY = Fernet.generate_key().decode()

COMMANDS = (
    "check",
    "connections list --json",
    "connections show xero --timeline --facts --json",
    "events list --json",
    "events show msg_1",
    "notifications list --json",
    "notifications show {notification}",
    "notifications redeliver {notification} --dry-run",
    "dead-letters list --json",
    "dead-letters deliveries --json",
    "subscribers list --json",
    "subscribers list",
    "subscribers show {subscriber} --json",
    "companies list --json",
    "companies consents c1",
    "conditions list --json",
    "operators sessions --json",
    "api-keys list --json",
    "webhooks secrets --json",
    "audit list --json",
    "reconcile",
)


EXPECTED = {
    ("contact", "GET /ops/companies/<id_>"),
    ("contact", "GET /ops/companies/<id_>?format=csv"),
    ("subscriber's query", "GET /ops/subscribers/<id_>"),
    ("subscriber's query", "GET /ops/subscribers/<id_>?format=csv"),
    ("subscriber's query", "GET /receivers/<token>"),
    ("subscriber's query", "GET /v1/subscribers"),
    ("subscriber's query", "GET /v1/subscribers/<subscriber_id>"),
    ("subscriber's query", "codat-processor subscribers list"),
    ("subscriber's query", "codat-processor subscribers list --json"),
    ("subscriber's query", "codat-processor subscribers show {subscriber} --json"),
    ("subscriber's query", "store codat:{lanes}:subscriber:ID"),
}
"""Where something is shown to those who may see it: the address of a receiver, and whom to write to."""


class Echo:
    """Codat and a receiver in one, which fail and repeat the head of the request in their answer."""

    def __init__(self) -> None:
        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                self.rfile.read(length)
                text = "; ".join(f"{name}: {value}" for name, value in self.headers.items())
                body = json.dumps({"statusCode": 500, "error": text, "service": self.path}).encode()
                self.send_response(500)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 - the library's names

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def echo() -> Iterator[Echo]:
    echo = Echo()
    yield echo
    echo.stop()


@pytest.fixture(autouse=True)
def _without_encryption_afterwards() -> Iterator[None]:
    yield
    encryption.use_keys(())


def values(client: "Redis[Any]") -> Iterator[tuple[str, bytes]]:
    """Every name and value of the store, also uncompressed."""
    for name in client.scan_iter(count=1_000):
        yield name.decode(), b"\n".join(texts_in(client, name))


class Scene:
    """A service that holds every secret, and all that it said and keeps, by where."""

    def __init__(self, redis_url: str, echo: Echo) -> None:
        self.redis_url, self._log = redis_url, io.StringIO()
        self.filling = Filling(
            redis_url,
            api_keys=f"caller:admin:{API_KEY}",
            CODAT_WEBHOOK_SECRETS=WEBHOOK_SECRET,
            CODAT_API_KEY=CODAT_KEY,
            CODAT_API_URL=echo.url,
            OPERATOR_PASSWORD=PASSWORD,
            SECRET_KEY=SIGNING_KEY,
            ENCRYPTION_KEYS=ENCRYPTION_KEY,
            ALLOW_PRIVATE_SUBSCRIBERS="true",
            LOG_LEVEL="DEBUG",
        )
        container = self.filling.container
        logs.configure("DEBUG", container.settings.secrets(), self._log)
        self._client = self.filling.app.test_client(use_cookies=False)
        self._bearer = {"Authorization": f"Bearer {API_KEY}", "Accept": "application/json"}
        self.filling.make_ready()
        self.filling.let_die()
        self._client.patch("/v1/companies/c1", json={"contact_email": EMAIL}, headers=self._bearer)
        made = self._client.post(
            "/v1/subscribers",
            json={"url": f"{echo.url}/hook?key={QUERY}", "headers": {"X-Key": HEADER}},
            headers=self._bearer,
        )
        assert made.json, made.text
        self.subscriber, self.secret = made.json["id"], made.json["secret"]
        notification = container.reader.list_notifications(connection_id=None, limit=1, cursor=None).items[0]
        self.notification = notification["body"]["id"]
        container.redelivery_service.redeliver(self.notification, subscriber_id=self.subscriber)
        dispatcher_of(container).run_once()
        container.webhook_secrets.add(ADDED_SECRET, by="anna")
        self._client.get(f"/nowhere/{API_KEY}?key={CODAT_KEY}", headers=self._bearer)
        self._client.get("/v1/stats", headers={"Authorization": f"Basic {PASSWORD}"})
        self._client.post("/webhooks/codat", data=WEBHOOK_SECRET, headers={"Authorization": API_KEY})
        admin = Operator(USER, Role.ADMIN)
        self.session = container.operator_sessions.open(admin, operators.PASSWORD)
        self.link = container.journey.tokens.make("c1")
        self.reminder = container.journey.opt_out.tokens.make("c1", holder="of the contact")
        self.portal = container.portal_tokens.make(self.subscriber)

    def canaries(self) -> dict[str, str]:
        """Every secret by its name."""
        return {
            "webhook secret": WEBHOOK_SECRET.removeprefix("whsec_"),
            "added secret": ADDED_SECRET.removeprefix("whsec_"),
            "API key": API_KEY,
            "Codat's key": CODAT_KEY,
            "password": PASSWORD,
            "subscriber's secret": self.secret.removeprefix("whsec_"),
            "subscriber's header": HEADER,
            "subscriber's query": QUERY,
            "contact": EMAIL,
            "signing key": SIGNING_KEY,
            "encryption key": ENCRYPTION_KEY,
            "session": self.session,
            "link": self.link,
            "receiver's link": self.portal,
            "reminder's link": self.reminder,
        }

    def outputs(self) -> Iterator[tuple[str, str]]:
        """Where something was said, and what."""
        yield from self._answers()
        yield from self._commands()
        with Redis.from_url(self.redis_url) as client:
            for name, value in values(client):
                name = name.replace(self.subscriber, "ID")
                yield f"store {name}", value.decode("utf-8", "backslashreplace")
        yield "log", self._log.getvalue()

    def _answers(self) -> Iterator[tuple[str, str]]:
        ids = {
            "company_id": "c1",
            "connection_id": "xero",
            "event_id": "msg_1",
            "notification_id": self.notification,
            "subscriber_id": self.subscriber,
            "code": "invalid",
        }
        for (method, rule), access in declared().items():
            if method != "GET":
                continue
            token = {Access.RECEIVER: self.portal, Access.REMINDER: self.reminder}.get(access, self.link)
            of_subject = {"/ops/subscribers": self.subscriber, "/ops/notifications": self.notification}
            of_subject |= {"/ops/companies": "c1", "/ops/events": "broken"}
            id_ = of_subject.get(rule.rpartition("/")[0], "xero")
            values = ids | {"token": token, "id_": id_}
            parts = re.split(r"<([^>]+)>", rule)
            parts[1::2] = [values.get(name, "none") for name in parts[1::2]]
            path = "".join(parts)
            headers = {"Cookie": f"operator={self.session}"}
            if rule.startswith(("/v1/", "/metrics", "/openapi")):
                headers = self._bearer
            for query in ("", "?format=csv") if rule.startswith("/ops/") else ("",):
                answer = self._client.get(path + query, headers=headers)
                assert answer.status_code not in (401, 403), (path, answer.status_code)
                yield f"{method} {rule}{query}", f"{answer.headers}{answer.text}"

    def _commands(self) -> Iterator[tuple[str, str]]:
        for line in COMMANDS:
            words = line.format(subscriber=self.subscriber, notification=self.notification).split()
            result = CliRunner(env=self.filling.environ).invoke(main, words)
            assert result.exit_code != 2, result.output
            yield f"codat-processor {line}", result.output


def test_no_secret_is_in_anything_that_is_said_or_kept(
    redis_url: str, echo: Echo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    scene = Scene(redis_url, echo)
    results = set()
    for where, text in scene.outputs():
        results |= {(name, where) for name, secret in scene.canaries().items() if secret in text}
    scene.filling.close()
    assert {row for row in results if row not in EXPECTED and not is_in_its_own_page(*row)} == set()
    assert results >= EXPECTED  # what is never found anywhere proves nothing


def is_in_its_own_page(name: str, where: str) -> bool:
    """Whether a link is in a page that it opens, whose addresses contain it."""
    return name == "link" and where.startswith("GET /connect/<token>")
