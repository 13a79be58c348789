"""The inbox: accepted messages that wait to be handled."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis import Redis
from redis.client import Pipeline

from handlers.events import Event
from processor.clock import to_iso, to_ms
from processor.store import keys
from processor.store.scripts import register

DAY_S = 86_400
WAKE_MS = 2_000
"""How long a cell counts as awake without a renewal (ms)."""


@dataclass(frozen=True, slots=True)
class AcceptResult:
    """Result of accepting a message; ``sleeping_cell`` needs a wake-up (``None``: no cell does)."""

    event_id: str
    duplicate: bool
    sleeping_cell: int | None


class Inbox:
    """Stores messages, each in one round trip.

    Every method raises ``redis.RedisError`` if Redis refuses or does not answer.
    """

    def __init__(self, client: "Redis[Any]", *, retention_days: int = 30, dedupe_days: int = 21) -> None:
        self._client = client
        self._retention_s = retention_days * DAY_S
        self._dedupe_s = dedupe_days * DAY_S
        self._accept = register(client, "accept")
        self._quarantine = register(client, "quarantine")
        self._requeue = register(client, "requeue")
        self._discard = register(client, "discard")

    def accept(self, event: Event, body: bytes) -> AcceptResult:
        """Store an event and its raw body, once, and append it to the inbox of its company's cell."""
        kept, wake = self._run_accept(event, body, self._client)
        return AcceptResult(
            event.event_id, duplicate=not kept, sleeping_cell=self.cell_of(event) if wake else None
        )

    def add(self, pipe: "Pipeline[Any]", event: Event, body: bytes) -> None:
        """Stage the same as ``accept`` in a transaction of the caller."""
        self._run_accept(event, body, pipe)

    def cell_of(self, event: Event) -> int:
        """Cell that handles ``event``."""
        return keys.cell_of(event.company.id if event.company else None)

    def _run_accept(self, event: Event, body: bytes, client: "Redis[Any]") -> Any:
        cell = self.cell_of(event)
        return self._accept(
            keys=[
                keys.seen(event.event_id),
                keys.event(event.event_id),
                keys.events(),
                keys.events_of("pending"),
                keys.inbox(cell),
                keys.wake(cell),
                keys.events_of("quarantined"),
                keys.company_events(event.company.id) if event.company else "",
                keys.events_of("discarded"),
            ],
            args=[
                event.event_id,
                self._dedupe_s,
                self._retention_s,
                to_ms(event.received_at),
                WAKE_MS,
                *_message_fields(event.event_id, body, event.received_at, "pending"),
                *_event_fields(event),
                "cell",
                cell,
            ],
            client=client,
        )

    def quarantine(self, event_id: str, body: bytes, received_at: datetime, reason: str) -> AcceptResult:
        """Store an authentic message that is not recognised, once, for a later replay."""
        kept = self._quarantine(
            keys=[keys.event(event_id), keys.events(), keys.events_of("quarantined")],
            args=[
                event_id,
                self._retention_s,
                to_ms(received_at),
                *_message_fields(event_id, body, received_at, "quarantined"),
                "error",
                reason,
            ],
        )
        return AcceptResult(event_id, duplicate=not kept, sleeping_cell=None)

    def requeue(
        self,
        event_id: str,
        *,
        status: str,
        cell: int,
        only_if: bool = False,
        fields: Sequence[str | int] = (),
        released: Event | None = None,
    ) -> tuple[bool, bool]:
        """Put a stored message with this status into the inbox again.

        With ``only_if`` nothing happens if its status has changed. ``fields`` (name, value, ...) are set as
        well. ``released`` is the event in a message that leaves the quarantine. Returns whether the message
        was put, and whether the cell needs a wake-up.
        """
        company = released.company if released is not None else None
        put, wake = self._requeue(
            keys=[
                keys.event(event_id),
                keys.events_of("pending"),
                keys.events_of(status),
                keys.retries(),
                keys.inbox(cell),
                keys.wake(cell),
                keys.seen(event_id) if released is not None else "",
                keys.company_events(company.id) if company is not None else "",
            ],
            args=[
                event_id,
                WAKE_MS,
                status if only_if else "",
                self._dedupe_s,
                self._retention_s,
                "cell",
                cell,
                *fields,
            ],
        )
        return bool(put), bool(wake)

    def discard(self, event_id: str, *, status: str) -> bool:
        """Mark a message with this status as discarded; false if it is gone or has another status."""
        names = [keys.event(event_id), keys.events_of(status), keys.events_of("discarded")]
        return bool(self._discard(keys=names, args=[event_id, status]))

    def release(self, event: Event, *, status: str = "quarantined") -> tuple[bool, bool]:
        """Put an unrecognised message, which now reads as ``event``, into the inbox.

        ``status`` is its status: quarantined or discarded. Returns the same as ``requeue``. In the same step
        its repetitions become duplicates and it joins the messages of its company, so no erasure misses it.
        """
        return self.requeue(
            event.event_id,
            status=status,
            cell=self.cell_of(event),
            only_if=True,
            fields=(*_event_fields(event), "error", ""),
            released=event,
        )

    def depth(self) -> int:
        """Number of waiting messages over all cells."""
        with self._client.pipeline(transaction=False) as pipe:
            for cell in keys.cells():
                pipe.xlen(keys.inbox(cell))
            return sum(pipe.execute())


def _event_fields(event: Event) -> list[str | int]:
    return [
        "source",
        event.source.value,
        "type",
        event.event_type,
        "company_id",
        event.company.id if event.company else "",
        "connection_ids",
        json.dumps(event.connection_ids),
    ]


def _message_fields(
    event_id: str, body: bytes, received_at: datetime, status: str
) -> list[str | bytes | int]:
    return [
        "event_id",
        event_id,
        "body",
        body,
        "received_at",
        to_iso(received_at),
        "received_ms",
        to_ms(received_at),
        "status",
        status,
    ]
