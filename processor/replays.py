"""Replaying kept messages: putting them into the inbox again, for the API and the command line.

Replaying is safe: what a message says is a fact, and a fact that is known already changes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from handlers.events import Event, Source
from processor.alerts.dialects import Unrecognised, recognise
from processor.codat import findings
from processor.errors import Conflict, Invalid, NotFound, ProcessorError
from processor.queues import Bell
from processor.store.inbox import Inbox
from processor.store.keys import shard_of
from processor.store.reader import Reader
from processor.times import from_iso

QUARANTINED = "quarantined"
ATTEMPTS = 5
"""How often a replay begins anew because the message got another status meanwhile."""

PAGE = 200


def understand(body: bytes, *, source: str, event_id: str, received_at: datetime) -> Event:
    """The event in a stored message; raises what the reader of its dialect raises."""
    if source in (Source.CODAT_API, Source.JOURNEY):
        return findings.decode(body, event_id=event_id, received_at=received_at)
    return recognise(body, event_id=event_id, received_at=received_at)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one replay; ``problem`` is ``None`` when the message waits in the inbox again."""

    event_id: str
    problem: ProcessorError | None = None


class Replays:
    """Puts kept messages into the inbox again and wakes who handles them."""

    def __init__(self, *, reader: Reader, inbox: Inbox, bell: Bell) -> None:
        self._reader = reader
        self._inbox = inbox
        self._bell = bell

    def replay(self, event_id: str, *, only: str | None = None) -> dict[str, str]:
        """Replay one message, whatever its status, or ``only`` when it has this one; the API's answer.

        A quarantined one is read again first. Raises :class:`NotFound`, :class:`Invalid` when it is
        still not understood, :class:`Conflict` when its status is another or keeps changing, and
        ``redis.RedisError``.
        """
        for _ in range(ATTEMPTS):
            row = self._reader.event(event_id)
            if row is None:
                raise NotFound(
                    "There is no event with this id, or it is not kept any more.", event_id=event_id
                )
            if not row["body"] and row["status"] == "processed":
                raise Conflict("The event's company was erased, and its body with it.", event_id=event_id)
            if only is not None and row["status"] != only:
                raise Conflict(f"The event is {row['status']}, not {only}.", event_id=event_id)
            shard, put, wake = self._put(row)
            if wake:
                self._bell.wake_shard(shard)
            if put:
                return {"event_id": event_id, "status": "pending"}
        raise Conflict("The event is being handled right now; look at its status.", event_id=event_id)

    def replay_each(self, event_ids: Iterator[str], *, only: str | None = None) -> Iterator[Replayed]:
        """Replay several; what one of them cannot do does not stop the others."""
        for event_id in event_ids:
            try:
                self.replay(event_id, only=only)
            except ProcessorError as error:
                yield Replayed(event_id, error)
            else:
                yield Replayed(event_id)

    def ids_of(self, status: str) -> Iterator[str]:
        """The messages with this status, newest first, each once though they change meanwhile."""
        cursor: str | None = None
        while True:
            page = self._reader.list_events(status=status, limit=PAGE, cursor=cursor)
            yield from (row["event_id"] for row in page.items if row.get("status") == status)
            cursor = page.next_cursor
            if cursor is None:
                return

    def _put(self, row: dict[str, Any]) -> tuple[int, bool, bool]:
        """Try to put the message back: its shard, whether it was put, whether the shard needs waking."""
        event_id, status = row["event_id"], row["status"]
        if status != QUARANTINED:
            shard = shard_of(row.get("company_id") or None, self._inbox.shards)
            put, wake = self._inbox.requeue(
                event_id, status=status, shard=shard, only_if=True, fields=("attempts", 0)
            )
            return shard, put, wake
        try:
            event = recognise(row["body"], event_id=event_id, received_at=from_iso(row["received_at"]))
        except Unrecognised as error:
            raise Invalid(
                f"The event is still not understood: {error.reason}.",
                errors=dict(error.fields),
                event_id=event_id,
            ) from error
        put, wake = self._inbox.release(event)
        return self._inbox.shard_of(event), put, wake
