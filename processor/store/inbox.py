"""The inbox: accepted messages that wait to be handled."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from redis import Redis, RedisError
from redis.client import Pipeline

from handlers.events import Event
from processor.clock import to_ms
from processor.store import inbox_lanes, keys, message_records, visibility
from processor.store.acknowledgement import NONE, Acknowledgement
from processor.store.cluster import ClusterClient
from processor.store.message_records import MessageHead, MessageRecord
from processor.store.round_trip import RoundTrip
from processor.store.scripts import register

DAY_S = 86_400
UNRECOGNISED = keys.cell_of(None)
"""The cell of the messages that are not recognised: nothing says which company's they are."""

UNRECOGNISED_STATUSES = ("quarantined", "discarded")

ASKED = "asked"
"""Holder of a cell for which a drain was requested."""

REPLAYED_AFTER = timedelta(hours=1)
"""Age at its receipt from which a message waits among the replays, behind what is new (decision 39)."""

_ASLEEP = 2
"""The script's reply for a message that was stored in a cell that no drain serves."""

WAKE_MS = 2_000
"""How long a requested drain is waited for (ms)."""


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

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        retention_days: int = 30,
        dedupe_days: int = 21,
        acknowledgement: Acknowledgement = NONE,
    ) -> None:
        self._client = client
        self._acknowledgement = acknowledgement
        self._dedupe_s = dedupe_days * DAY_S if dedupe_days > retention_days else 0
        self._accept: Any = register(client, "accept")
        self._requeue = register(client, "requeue")
        self._discard = register(client, "discard")

    def accept(self, event: Event, body: bytes) -> AcceptResult:
        """Store an event and its raw body, once, and append it to the inbox of its company's cell."""
        return self._accept_single(_received(event, body))

    def quarantine(self, event_id: str, body: bytes, received_at: datetime, reason: str) -> AcceptResult:
        """Store an authentic message that is not recognised, once, for a later replay."""
        return self._accept_single(ReceivedMessage(event_id, body, received_at, None, reason))

    def accept_many(self, messages: Sequence[ReceivedMessage]) -> list[AcceptResult | RedisError]:
        """Accept or quarantine messages in one round trip, each on as many replicas as are required.

        Returns the result of each message, or the error with which Redis refused this one alone. After any
        other ``redis.RedisError`` some may be stored: these are duplicates when they are sent again, as are
        those whose error is ``NotReplicated``.
        """
        trip = RoundTrip(self._client, self._accept, acknowledgement=self._acknowledgement)
        foreign = [
            message.event.company.id
            for message in messages
            if message.is_foreign and message.event and message.event.company
        ]
        marks = list(visibility.foreign_marks(foreign))
        for mark in marks:
            trip.add(*mark)
        parts = self._parts(messages)
        for part in parts:
            rows = [(self.cell_of(messages[number].event), messages[number]) for number in part]
            trip.call(self._accept, *self._accept_call(rows))
        ids = [message.event_id for message in messages]
        for status in UNRECOGNISED_STATUSES:
            trip.add("ZMSCORE", keys.events_of(UNRECOGNISED, status), *ids)
        answers = trip.execute()
        for answer in answers[: len(marks)]:
            if isinstance(answer, RedisError):
                raise answer
        *answers, quarantined, discarded = answers[len(marks) :]
        replies: list[Any] = [None] * len(messages)
        for part, answer in zip(parts, answers, strict=True):
            of_part = answer if isinstance(answer, list) else [answer] * len(part)
            for number, reply in zip(part, of_part, strict=True):
                replies[number] = reply
        self._remove_recognised(messages, replies, quarantined, discarded)
        return [self._result(message, reply) for message, reply in zip(messages, replies, strict=True)]

    def add(self, pipe: "Pipeline[Any]", event: Event, body: bytes) -> None:
        """Stage the same as ``accept`` in a transaction of the caller."""
        names, args = self._accept_call([(self.cell_of(event), _received(event, body))])
        self._accept(keys=names, args=args, client=pipe)

    def pass_on(self, event: Event, body: bytes, cell: int) -> bool:
        """Accept a message about a connection of another cell there, as one without a company.

        It has an id of its own, so that it is accepted once however often the caller repeats this. Returns
        whether the cell needs a wake-up.
        """
        event = replace(event, event_id=passed_on_id(event.event_id, cell), company=None)
        trip = RoundTrip(self._client, self._accept, acknowledgement=self._acknowledgement)
        trip.call(self._accept, *self._accept_call([(cell, _received(event, body))]))
        ((reply,),) = trip.results()
        return bool(reply == _ASLEEP)

    def cell_of(self, event: Event | None) -> int:
        """Cell that handles ``event``; that of messages that are not recognised without one."""
        return keys.cell_of(event.company.id if event and event.company else None)

    def _accept_single(self, message: ReceivedMessage) -> AcceptResult:
        result = self.accept_many([message])[0]
        if isinstance(result, RedisError):
            raise result
        return result

    def _parts(self, messages: Sequence[ReceivedMessage]) -> list[list[int]]:
        """The numbers of the messages of each call: one for all, in a cluster one for each cell."""
        parts: dict[int, list[int]] = {}
        for number, message in enumerate(messages):
            group = self.cell_of(message.event) if isinstance(self._client, ClusterClient) else 0
            parts.setdefault(group, []).append(number)
        return list(parts.values())

    def _result(self, message: ReceivedMessage, reply: Any) -> AcceptResult | RedisError:
        if isinstance(reply, RedisError):
            return reply
        cell = self.cell_of(message.event) if message.event and reply == _ASLEEP else None
        return AcceptResult(message.event_id, duplicate=not reply, sleeping_cell=cell)

    def _accept_call(self, messages: Sequence[tuple[int, ReceivedMessage]]) -> tuple[list[str], list[Any]]:
        """The keys and the arguments of the script ``accept`` for messages with their cells."""
        cells = list(dict.fromkeys(cell for cell, _ in messages))
        names = [keys.wake(cell) for cell in cells]
        for cell in cells:
            names += [keys.messages(cell), keys.repeats(cell), keys.events(cell)]
            names += [keys.events_of(cell, status) for status in UNRECOGNISED_STATUSES]
        names += [
            keys.seen(cell, row.event_id) if row.event else keys.nothing(cell) for cell, row in messages
        ]
        args: list[Any] = [WAKE_MS, self._dedupe_s, len(cells)]
        for cell, (event_id, body, received_at, event, reason, _) in messages:
            if event is None:
                head = MessageHead()
                names += [keys.nothing(cell), keys.events_of(cell, "quarantined")]
            else:
                company_id = event.company.id if event.company else ""
                is_old = received_at - event.at > REPLAYED_AFTER
                names.append(keys.replays(cell) if is_old else keys.inbox(cell))
                names.append(keys.company_events(company_id) if company_id else keys.nothing(cell))
                head = MessageHead(event.source.value, event.event_type, company_id, event.connection_ids)
            content = message_records.pack_content(head, body)
            status = "pending" if event else "quarantined"
            record = message_records.dump(MessageRecord(status, received_at, content, error=reason))
            args += [cells.index(cell) + 1, event_id, to_ms(received_at), record]
        return names, args

    def requeue(
        self, event_id: str, *, status: str, cell: int, only_if: bool = False, attempts: int | None = None
    ) -> tuple[bool, bool]:
        """Put a stored message with this status into the inbox of its cell again, as a replay.

        With ``only_if`` nothing happens if its status has changed. ``attempts`` is the new number of failed
        attempts. Returns whether the message was put, and whether the cell needs a wake-up.
        """
        put, wake = self._requeue(
            keys=[
                keys.messages(cell),
                keys.events_of(cell, status),
                keys.retries(cell),
                keys.replays(cell),
                keys.wake(cell),
            ],
            args=[
                event_id,
                WAKE_MS,
                message_records.beginning(status) if only_if else "",
                message_records.beginning("pending", attempts),
            ],
        )
        return bool(put), bool(wake)

    def discard(self, event_id: str, *, status: str, cell: int) -> bool:
        """Mark a message with this status as discarded; false if it is gone or has another status."""
        names = [
            keys.messages(cell),
            keys.events(cell),
            keys.events_of(cell, status),
            keys.events_of(cell, "discarded"),
        ]
        before, after = message_records.beginning(status), message_records.discarded_code(status)
        return bool(self._discard(keys=names, args=[event_id, before, after]))

    def release(self, event: Event, body: bytes) -> AcceptResult:
        """Accept an unrecognised message, which now reads as ``event``, and remove it from the quarantine.

        What an interruption between the two leaves is removed by the next attempt (``forget_unrecognised``).
        """
        result = self.accept(event, body)
        if self.cell_of(event) != UNRECOGNISED:
            remove_unrecognised(self._client, [event.event_id])
        return result

    def forget_unrecognised(self, event_id: str) -> None:
        """Remove the copy of an accepted message from the quarantine."""
        remove_unrecognised(self._client, [event_id])

    def _remove_recognised(
        self, messages: Sequence[ReceivedMessage], replies: Sequence[Any], *scores: Any
    ) -> None:
        """Remove messages from the quarantine that were repeated, and are recognised by now."""
        if any(isinstance(of_status, RedisError) for of_status in scores):
            return
        recognised = [
            message.event_id
            for message, reply, *of_status in zip(messages, replies, *scores, strict=True)
            if any(score is not None for score in of_status)
            and message.event is not None
            and self.cell_of(message.event) != UNRECOGNISED
            and not isinstance(reply, RedisError)
        ]
        if recognised:
            remove_unrecognised(self._client, recognised)

    def depth(self) -> int:
        """Number of waiting messages over all cells."""
        return sum(inbox_lanes.depths(self._client))


def _received(event: Event, body: bytes) -> ReceivedMessage:
    return ReceivedMessage(event.event_id, body, event.received_at, event)


def passed_on_id(event_id: str, cell: int) -> str:
    """Id of the copy of a message that is passed on to a cell."""
    return f"{event_id}~{cell}"


def is_passed_on(event_id: str, cell: int) -> bool:
    """Whether a message of a cell is a copy from another one, which names all cells itself."""
    return event_id.endswith(passed_on_id("", cell))


def remove_unrecognised(client: "Redis[Any]", event_ids: Sequence[str]) -> None:
    """Remove messages that are not recognised."""
    if not event_ids:
        return
    with client.pipeline(transaction=True) as pipe:
        for table in (keys.messages(UNRECOGNISED), keys.repeats(UNRECOGNISED)):
            pipe.hdel(table, *event_ids)
        pipe.zrem(keys.events(UNRECOGNISED), *event_ids)
        for status in UNRECOGNISED_STATUSES:
            pipe.zrem(keys.events_of(UNRECOGNISED, status), *event_ids)
        pipe.execute()
