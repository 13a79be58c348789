"""A store that is filled the real way: messages of Codat's are accepted and drained."""

import dataclasses
import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask

from handlers.events import Source, UnhandledEvent
from handlers.registry import Policy
from processor.alerts.dialects import Unrecognised, recognise
from processor.container import Container, for_web
from processor.settings.loading import load
from tests.support import cells
from tests.support.applications import lent_app
from workers.inbox.drain import Drain

KEY = "key-of-a-caller"
SECOND_KEY = "key-of-another"
START = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)

CONNECTIONS = {
    "xero": {
        "id": "xero",
        "integrationId": "8a156a5a-39cb-4f9d-856e-76ef9b9a9607",
        "integrationKey": "gbol",
        "platformName": "Xero",
        "sourceType": "Accounting",
    },
    "stripe": {"id": "stripe", "integrationKey": "strp", "platformName": "Stripe", "sourceType": "Commerce"},
}
CANCELLED = {
    "statusCode": "403",
    "statusText": "User cancelled linking",
    "errorMessage": "User cancelled",
    "erroredOnUtc": "2026-11-22T15:00:00Z",
    "status": "Active",
}


class Filling:
    """A store, the web application on it, and what Codat sends.

    Time stands still unless a test moves ``now``; messages arrive the moment they tell of.
    """

    def __init__(self, redis_url: str, *, api_keys: str = f"{KEY},{SECOND_KEY}", **settings: str) -> None:
        environ = {
            "REDIS_URL": redis_url,
            "API_KEYS": api_keys,
            "CODAT_ALERT_AUTHORIZATIONS": "Basic b3VyczpzZWNyZXQ=",
            **settings,
        }
        self.environ = environ
        self.now = START
        self.policy = Policy()
        self.container: Container = dataclasses.replace(for_web(load(environ)), clock=lambda: self.now)
        self.app: Flask = lent_app(self.container)
        self._count = 0

    def close(self) -> None:
        """Let go of the engine, once nobody writes in the background any more."""
        for thread in threading.enumerate():
            if thread.name == "platforms":
                thread.join()
        self.container.redis.close()
        if self.container.codat is not None:
            self.container.codat.close()

    def tell(self, event_type: str, connection: str = "xero", *, company: str = "c1", **payload: Any) -> str:
        """Accept a message of the current generation, a minute after the one before; its event id."""
        self.now += timedelta(minutes=1)
        body = {
            "id": "743ec94a-8aa4-44bb-8bd4-e1855ee0e74b",
            "eventType": event_type,
            "generatedDate": self.now.isoformat(),
            "payload": {
                "referenceCompany": {
                    "id": company,
                    "name": "Toft störes",
                    "tags": {"merchantId": f"m-{company}", "region": "uk"},
                },
                "connection": CONNECTIONS.get(connection, {"id": connection}) | payload.pop("said", {}),
                **payload,
            },
        }
        return self.accept(json.dumps(body).encode())

    def read(
        self, connection: str = "xero", *, initial: bool = True, company: str = "c1", **outcomes: str
    ) -> str:
        """Accept the news that data types were read, with their statuses."""
        return self.tell(
            "read.completed.initial" if initial else "read.completed",
            connection,
            company=company,
            dataTypes=[
                {"connectionId": connection, "dataType": name, "status": status}
                for name, status in outcomes.items()
            ],
        )

    def accept(self, body: bytes, event_id: str | None = None) -> str:
        """Accept a body as the web application does once it is authentic; its event id."""
        self._count += 1
        event_id = event_id or f"msg_{self._count}"
        try:
            event = recognise(body, event_id=event_id, received_at=self.now)
        except Unrecognised as error:
            self.container.inbox.quarantine(event_id, body, self.now, error.reason)
        else:
            self.container.inbox.accept(event, body)
        return event_id

    def accept_broken(self, event_id: str = "broken") -> str:
        """Accept a finding of our own whose handling raises, since its body is none."""
        event = UnhandledEvent(
            event_id=event_id,
            event_type="codat-api.connection",
            source=Source.CODAT_API,
            received_at=self.now,
            at=self.now,
        )
        self.container.inbox.accept(event, b"nothing of ours")
        return event_id

    def drain(self) -> None:
        """Handle what waits."""
        drain = Drain(
            self.container.redis,
            policy=self.policy,
            clock=lambda: self.now,
            linger_s=0.0,
        )
        for _ in range(2):  # what concerns a connection of another cell is passed on to it
            for cell in cells.waiting(self.container.redis):
                drain.run(cell)

    def let_die(self, event_id: str = "broken") -> str:
        """A message that failed to the last."""
        self.accept_broken(event_id)
        for _ in range(7):
            self.drain()
            self.container.inbox.requeue(event_id, status="failed", cell=0, only_if=True)
        return event_id

    def make_ready(self, connection: str = "xero", *, company: str = "c1", in_time: bool = False) -> None:
        """A connection that was authorised and read; ``in_time``: each message is handled when it comes."""
        for event_type in ("connection.created", "connection.connected"):
            self.tell(event_type, connection, company=company)
            if in_time:
                self.drain()
        self.read(connection, company=company, invoices="Complete", bills="FetchError")
        self.drain()
