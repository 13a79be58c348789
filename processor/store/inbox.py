"""The inbox: accepted messages that wait to be handled."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from redis import Redis, RedisError
from redis.client import Pipeline
from redis.exceptions import NoScriptError

from handlers.events import Event
from processor.clock import to_iso, to_ms
from processor.store import keys, visibility
from processor.store.scripts import register

DAY_S = 86_400
WAKE_MS = 2_000
"""How long a cell counts as awake without a renewal (ms)."""


class ReceivedMessage(NamedTuple):
    """An authentic message to store: with its event, or with the ``reason`` why it is not recognised.

    ``is_foreign``: its company belongs to a client of CODAT_FOREIGN_CLIENT_IDS.
    """

    event_id: str
    body: bytes
    received_at: datetime
    event: Event | None
    reason: str = ""
    is_foreign: bool = False


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
        self._dedupe_s = dedupe_days * DAY_S if dedupe_days > retention_days else 0
        self._accept: Any = register(client, "accept")
        self._quarantine: Any = register(client, "quarantine")
        self._requeue = register(client, "requeue")
        self._discard = register(client, "discard")

    def accept(self, event: Event, body: bytes) -> AcceptResult:
        """Store an event and its raw body, once, and append it to the inbox of its company's cell."""
        return self._accept_single(ReceivedMessage(event.event_id, body, event.received_at, event))

    def quarantine(self, event_id: str, body: bytes, received_at: datetime, reason: str) -> AcceptResult:
        """Store an authentic message that is not recognised, once, for a later replay."""
        return self._accept_single(ReceivedMessage(event_id, body, received_at, None, reason))

    def accept_many(self, messages: Sequence[ReceivedMessage]) -> list[AcceptResult | RedisError]:
        """Accept or quarantine messages in one round trip.

        Returns the result of each message, or the error with which Redis refused this one alone. After any
        other ``redis.RedisError`` some may be stored: these are duplicates when they are sent again.
        """
        commands = [self._command(message) for message in messages]
        foreign = [
            message.event.company.id
            for message in messages
            if message.is_foreign and message.event and message.event.company
        ]
        replies = self._send(commands, foreign)
        unknown = [number for number, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if unknown:  # Redis was restarted
            for script in (self._accept, self._quarantine):
                self._client.script_load(script.script)  # type: ignore[no-untyped-call]
            again = self._send([commands[number] for number in unknown], [])
            for number, reply in zip(unknown, again, strict=True):
                replies[number] = reply
        return [self._result(message, reply) for message, reply in zip(messages, replies, strict=True)]

    def add(self, pipe: "Pipeline[Any]", event: Event, body: bytes) -> None:
        """Stage the same as ``accept`` in a transaction of the caller."""
        names, args = self._accept_call(
            ReceivedMessage(event.event_id, body, event.received_at, event), event
        )
        self._accept(keys=names, args=args, client=pipe)

    def cell_of(self, event: Event) -> int:
        """Cell that handles ``event``."""
        return keys.cell_of(event.company.id if event.company else None)

    def _accept_single(self, message: ReceivedMessage) -> AcceptResult:
        result = self.accept_many([message])[0]
        if isinstance(result, RedisError):
            raise result
        return result

    def _send(self, commands: Sequence[Sequence[Any]], foreign: Sequence[str]) -> list[Any]:
        """The reply to each command, an error among them; the marks of ``foreign`` companies come first."""
        with self._client.pipeline(transaction=False) as pipe:
            if foreign:
                visibility.mark_foreign(pipe, foreign)
            for command in commands:
                pipe.execute_command(*command)  # type: ignore[no-untyped-call]
            replies = pipe.execute(raise_on_error=False)
        if foreign and isinstance(replies[0], RedisError):
            raise replies[0]
        return replies[bool(foreign) :]

    def _command(self, message: ReceivedMessage) -> list[Any]:
        script, (names, args) = (
            (self._quarantine, self._quarantine_call(message))
            if message.event is None
            else (self._accept, self._accept_call(message, message.event))
        )
        return ["EVALSHA", script.sha, len(names), *names, *args]

    def _result(self, message: ReceivedMessage, reply: Any) -> AcceptResult | RedisError:
        if isinstance(reply, RedisError):
            return reply
        if message.event is None:
            return AcceptResult(message.event_id, duplicate=not reply, sleeping_cell=None)
        kept, wake = reply
        cell = self.cell_of(message.event) if wake else None
        return AcceptResult(message.event_id, duplicate=not kept, sleeping_cell=cell)

    def _accept_call(self, message: ReceivedMessage, event: Event) -> tuple[list[str], list[Any]]:
        """The keys and the arguments of the script ``accept``."""
        cell = self.cell_of(event)
        return [
            keys.seen(event.event_id),
            keys.event(event.event_id),
            keys.events(),
            keys.events_of("pending"),
            keys.inbox(cell),
            keys.wake(cell),
            keys.events_of("quarantined"),
            keys.company_events(event.company.id) if event.company else "",
            keys.events_of("discarded"),
        ], [
            event.event_id,
            self._dedupe_s,
            self._retention_s,
            to_ms(event.received_at),
            WAKE_MS,
            *_message_fields(message, "pending"),
            *_event_fields(event),
            "cell",
            cell,
        ]

    def _quarantine_call(self, message: ReceivedMessage) -> tuple[list[str], list[Any]]:
        """The keys and the arguments of the script ``quarantine``."""
        return [keys.event(message.event_id), keys.events(), keys.events_of("quarantined")], [
            message.event_id,
            self._retention_s,
            to_ms(message.received_at),
            *_message_fields(message, "quarantined"),
            "error",
            message.reason,
        ]

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


def _message_fields(message: ReceivedMessage, status: str) -> list[str | bytes | int]:
    return [
        "event_id",
        message.event_id,
        "body",
        message.body,
        "received_at",
        to_iso(message.received_at),
        "received_ms",
        to_ms(message.received_at),
        "status",
        status,
    ]
