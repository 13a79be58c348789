"""Replays and discards stored messages, for the API, the pages and the command line.

A replay is safe: a message states facts, and a known fact changes nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from handlers.events import Event, Source
from processor.alerts.dialects import Unrecognised, recognise
from processor.alerts.signature import kept_id
from processor.clock import from_iso
from processor.codat import observations
from processor.errors import Conflict, Invalid, NotFound, ProcessorError
from processor.store.cursors import all_items
from processor.store.inbox import UNRECOGNISED, Inbox
from processor.store.queries import Reader
from processor.store.waker import Waker

QUARANTINED = "quarantined"
DISCARDED = "discarded"
DISCARDABLE = ("dead", QUARANTINED)
"""Statuses of messages that wait for an operator."""

ATTEMPTS = 5
"""How often a replay is attempted if the status of the message changes meanwhile."""

PAGE = 200


def decode_event(body: bytes, *, source: str, event_id: str, received_at: datetime) -> Event:
    """The event in a stored message. Raises ``ValueError`` or ``Unrecognised``."""
    if source in (Source.CODAT_API, Source.JOURNEY):
        return observations.decode(body, event_id=event_id, received_at=received_at)
    return recognise(body, event_id=event_id, received_at=received_at)


def find_message(reader: Reader, event_id: str) -> dict[str, Any] | None:
    """The stored message with this id, or with this ``webhook-id`` as sent; ``None`` if there is none."""
    kept = kept_id(event_id)
    row = reader.event(event_id)
    return reader.event(kept) if row is None and kept != event_id else row


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """The result for one message; ``problem`` is ``None`` if it was replayed or discarded."""

    event_id: str
    problem: ProcessorError | None = None


class ReplayService:
    """Puts stored messages into the inbox again, or discards them."""

    def __init__(self, *, reader: Reader, inbox: Inbox, waker: Waker) -> None:
        self._reader = reader
        self._inbox = inbox
        self._waker = waker

    def replay(self, event_id: str, *, only: str | None = None) -> dict[str, str]:
        """Replay one message of any status, or ``only`` of this one; returns the response of the API.

        A quarantined message is parsed again first. Raises :class:`NotFound`, :class:`Invalid` if it is
        still not recognised, :class:`Conflict` if it has another status or the status keeps changing, and
        ``redis.RedisError``.
        """
        for _ in range(ATTEMPTS):
            row = self._row(event_id)
            if not row["body"] and row["status"] == "processed":
                raise Conflict("The event's company was erased, and its body with it.", event_id=event_id)
            if only is not None and row["status"] != only:
                raise Conflict(f"The event is {row['status']}, not {only}.", event_id=event_id)
            put, wake = self._requeue(row)
            if wake:
                self._waker.wake_drain()
            if put:
                return {"event_id": row["event_id"], "status": "pending"}
        raise Conflict("The event is being handled right now; look at its status.", event_id=event_id)

    def replay_each(self, event_ids: Iterator[str], *, only: str | None = None) -> Iterator[ReplayResult]:
        """Replay several messages; a failure does not stop the others."""
        return self._each(event_ids, partial(self.replay, only=only))

    def discard(self, event_id: str, *, only: str | None = None) -> dict[str, str]:
        """Discard one message, ``only`` if it has this status; returns the response of the API. Idempotent.

        The message is kept with its error and can be replayed. Raises :class:`NotFound`,
        :class:`Conflict` unless its status is one of ``DISCARDABLE``, and ``redis.RedisError``.
        """
        for _ in range(ATTEMPTS):
            row = self._row(event_id)
            status = row["status"]
            if status == DISCARDED:
                return {"event_id": row["event_id"], "status": DISCARDED}
            if status not in ((only,) if only is not None else DISCARDABLE):
                required = only or " or ".join(DISCARDABLE)
                raise Conflict(f"The event is {status}, not {required}.", event_id=event_id)
            if self._inbox.discard(row["event_id"], status=status, cell=row["cell"]):
                return {"event_id": row["event_id"], "status": DISCARDED}
        raise Conflict("The event is being handled right now; look at its status.", event_id=event_id)

    def discard_each(self, event_ids: Iterator[str], *, only: str | None = None) -> Iterator[ReplayResult]:
        """Discard several messages; a failure does not stop the others."""
        return self._each(event_ids, partial(self.discard, only=only))

    def ids_of(self, status: str) -> Iterator[str]:
        """Ids of the messages with this status, newest first."""
        rows = all_items(partial(self._reader.list_events, status=status, limit=PAGE))
        return (row["event_id"] for row in rows if row.get("status") == status)

    def ids_about(self, connection_id: str, company_id: str | None) -> Iterator[str]:
        """Ids of the kept messages that name a connection and were handled, or failed, oldest first.

        Raises :class:`Conflict` if its record cannot be read: each of its messages would fail.
        """
        if self._reader.connection(connection_id) is None:
            raise Conflict("What is stored of this connection cannot be read; repair it first.")
        rows = all_items(partial(self._reader.list_events, status=None, company_id=company_id, limit=PAGE))
        ids: list[str] = []
        for row in rows:
            if row["status"] not in ("pending", DISCARDED) and connection_id in row["connection_ids"]:
                ids.append(row["event_id"])
        return reversed(ids)

    def _row(self, event_id: str) -> dict[str, Any]:
        row = find_message(self._reader, event_id)
        if row is None:
            raise NotFound("There is no event with this id, or it is not kept any more.", event_id=event_id)
        if row["cell"] != UNRECOGNISED:  # a release may have been interrupted
            self._inbox.forget_unrecognised(row["event_id"])
        return row

    @staticmethod
    def _each(event_ids: Iterator[str], action: Callable[[str], object]) -> Iterator[ReplayResult]:
        for event_id in event_ids:
            try:
                action(event_id)
            except ProcessorError as error:
                yield ReplayResult(event_id, error)
            else:
                yield ReplayResult(event_id)

    def _requeue(self, row: dict[str, Any]) -> tuple[bool, bool]:
        """Put the message back: whether it was put, and whether its cell needs a wake-up."""
        event_id, status = row["event_id"], row["status"]
        if status not in (QUARANTINED, DISCARDED) or row.get("source"):
            return self._inbox.requeue(event_id, status=status, cell=row["cell"], only_if=True, attempts=0)
        try:
            event = recognise(row["body"], event_id=event_id, received_at=from_iso(row["received_at"]))
        except Unrecognised as error:
            raise Invalid(
                f"The event is still not understood: {error.reason}.",
                errors=dict(error.fields),
                event_id=event_id,
            ) from error
        released = self._inbox.release(event, row["body"])
        return not released.duplicate, released.sleeping_cell is not None
