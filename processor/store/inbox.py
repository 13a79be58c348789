"""The inbox: messages that were accepted and wait to be handled."""

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
"""How long a shard counts as awake after somebody said so, in milliseconds."""


@dataclass(frozen=True, slots=True)
class AcceptResult:
    """What became of a message: kept now, or ``duplicate``; ``wake`` names the shard that sleeps."""

    event_id: str
    duplicate: bool
    sleeping_shard: int | None


class Inbox:
    """Puts messages into Redis, each in one round trip.

    ``shards`` is INBOX_SHARDS; retention and dedupe in days. Every method raises
    ``redis.RedisError`` when Redis cannot take it.
    """

    def __init__(
        self, client: "Redis[Any]", *, shards: int, retention_days: int = 30, dedupe_days: int = 21
    ) -> None:
        self.shards = shards
        self._client = client
        self._retention_s = retention_days * DAY_S
        self._dedupe_s = dedupe_days * DAY_S
        self._accept = register(client, "accept")
        self._quarantine = register(client, "quarantine")
        self._requeue = register(client, "requeue")
        self._discard = register(client, "discard")

    def accept(self, event: Event, body: bytes) -> AcceptResult:
        """Keep an event and its raw body, once, and append it to the inbox of its company's shard."""
        kept, wake = self._put(event, body, self._client)
        return AcceptResult(
            event.event_id, duplicate=not kept, sleeping_shard=self.shard_of(event) if wake else None
        )

    def add(self, pipe: "Pipeline[Any]", event: Event, body: bytes) -> None:
        """The same as ``accept``, as a part of somebody's transaction."""
        self._put(event, body, pipe)

    def shard_of(self, event: Event) -> int:
        """The shard that handles ``event``."""
        return keys.shard_of(event.company.id if event.company else None, self.shards)

    def _put(self, event: Event, body: bytes, client: "Redis[Any]") -> Any:
        shard = self.shard_of(event)
        return self._accept(
            keys=[
                keys.seen(event.event_id),
                keys.event(event.event_id),
                keys.events(),
                keys.events_of("pending"),
                keys.inbox(shard),
                keys.wake(shard),
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
                *_fields(event.event_id, body, event.received_at, "pending"),
                *_understood(event),
                "shard",
                shard,
            ],
            client=client,
        )

    def quarantine(self, event_id: str, body: bytes, received_at: datetime, reason: str) -> AcceptResult:
        """Keep an authentic message that is not recognised, once, for a later replay."""
        kept = self._quarantine(
            keys=[keys.event(event_id), keys.events(), keys.events_of("quarantined")],
            args=[
                event_id,
                self._retention_s,
                to_ms(received_at),
                *_fields(event_id, body, received_at, "quarantined"),
                "error",
                reason,
            ],
        )
        return AcceptResult(event_id, duplicate=not kept, sleeping_shard=None)

    def requeue(
        self,
        event_id: str,
        *,
        status: str,
        shard: int,
        only_if: bool = False,
        fields: Sequence[str | int] = (),
        released: Event | None = None,
    ) -> tuple[bool, bool]:
        """Put a kept message into the inbox again, as it is.

        ``status`` is the one it has; with ``only_if`` nothing happens when it changed
        meanwhile. ``fields`` (name, value, ...) are set with it. ``released`` is what a message says that
        leaves the quarantine. Returns whether it was put, and whether the shard needs waking.
        """
        company = released.company if released is not None else None
        put, wake = self._requeue(
            keys=[
                keys.event(event_id),
                keys.events_of("pending"),
                keys.events_of(status),
                keys.retries(),
                keys.inbox(shard),
                keys.wake(shard),
                keys.seen(event_id) if released is not None else "",
                keys.company_events(company.id) if company is not None else "",
            ],
            args=[
                event_id,
                WAKE_MS,
                status if only_if else "",
                self._dedupe_s,
                self._retention_s,
                "shard",
                shard,
                *fields,
            ],
        )
        return bool(put), bool(wake)

    def discard(self, event_id: str, *, status: str) -> bool:
        """Keep a message with this status as discarded; false when it is gone or has another status."""
        names = [keys.event(event_id), keys.events_of(status), keys.events_of("discarded")]
        return bool(self._discard(keys=names, args=[event_id, status]))

    def release(self, event: Event, *, status: str = "quarantined") -> tuple[bool, bool]:
        """Put a message that was not recognised, and is now as ``event``, into the inbox.

        ``status`` is the one it has: quarantined or discarded.
        Returns the same as ``requeue``. From now on its repetitions are duplicates, and it is among the
        messages of its company: in the same step, or an erasure could miss it.
        """
        return self.requeue(
            event.event_id,
            status=status,
            shard=self.shard_of(event),
            only_if=True,
            fields=(*_understood(event), "error", ""),
            released=event,
        )

    def depth(self) -> int:
        """How many messages wait, over all shards."""
        shards = keys.shards_in_use(self._client.get(keys.shards_ever()), self.shards)
        with self._client.pipeline(transaction=False) as pipe:
            for shard in range(shards):
                pipe.xlen(keys.inbox(shard))
            return sum(pipe.execute())


def _understood(event: Event) -> list[str | int]:
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


def _fields(event_id: str, body: bytes, received_at: datetime, status: str) -> list[str | bytes | int]:
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
