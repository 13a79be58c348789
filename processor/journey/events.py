"""What happened on the journey, into the inbox as ordinary events: Codat did it first, then we know it."""

import json
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from handlers.events import (
    Company,
    CompanyDeleted,
    ConnectionCreated,
    ConnectionDeleted,
    ConnectionDetails,
    ConnectionEnded,
    Event,
    LinkStatus,
    Source,
)
from processor.codat import observations
from processor.codat.models import ConnectionResponse
from processor.store.inbox import Inbox
from processor.store.queries import Reader
from processor.store.records import StoredConnection
from processor.store.waker import Waker

SECOND = timedelta(seconds=1)
"""How exact the ``Date`` of an answer is: cut off at the second."""

JUST_AFTER = timedelta(microseconds=1)
LOOK_EVERY_S = 0.02

Row = Mapping[str, str]
"""The fields known of a company."""


class JourneyEvents:
    """Puts events of the journey into the inbox, and waits for a moment until they are handled.

    ``settle_s`` is how long, in seconds, so that whoever asks next sees what was done; 0: not at all.
    """

    def __init__(
        self,
        *,
        inbox: Inbox,
        waker: Waker,
        reader: Reader,
        clock: Callable[[], datetime],
        settle_s: float,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inbox, self._waker, self._reader = inbox, waker, reader
        self._clock, self._settle_s = clock, settle_s
        self._sleep, self._monotonic = sleep, monotonic

    def knows(self, connection_id: str) -> bool:
        """Whether the connection is known here."""
        return self._reader.connection(connection_id) is not None

    def created(self, row: Row, answer: ConnectionResponse) -> str:
        """A platform was chosen; the event's id."""
        event = ConnectionCreated(
            **self._head(
                observations.CONNECTION_CREATED, row, answer.created or answer.asked_at, answer.timed
            ),
            connection=answer.details,
        )
        return self._put(event)

    def seen(self, row: Row, answer: ConnectionResponse) -> str:
        """Codat showed a connection."""
        event = observations.connection_seen(
            answer, event_id=_new_id(), received_at=self._clock(), company=_company(row)
        )
        return self._put(event)

    def unlinked(self, row: Row, answer: ConnectionResponse, stored: StoredConnection | None) -> str:
        """Codat ended our access because we asked for it."""
        event = ConnectionEnded(
            **self._head(observations.CONNECTION_UNLINKED, row, _end_of(answer, stored), answer.timed),
            connection=answer.details,
            reason=LinkStatus.UNLINKED,
        )
        return self._put(event)

    def deleted(self, row: Row, connection_id: str) -> str:
        """Codat deleted a connection because we asked for it; the time is ours."""
        event = ConnectionDeleted(
            **self._head(observations.CONNECTION_DELETED, row, self._clock(), timed=False),
            connection=ConnectionDetails(connection_id),
        )
        return self._put(event)

    def company_deleted(self, row: Row) -> str:
        """Codat deleted a company because we asked for it; the time is ours."""
        return self._put(
            CompanyDeleted(**self._head(observations.COMPANY_DELETED, row, self._clock(), timed=False))
        )

    def settle(self, event_id: str) -> bool:
        """Wait for a moment until the event is handled; whether it is."""
        until = self._monotonic() + self._settle_s
        while self._settle_s > 0:
            row = self._reader.event(event_id)
            if row is None or row.get("status") != "pending":
                return row is not None and row.get("status") == "processed"
            if self._monotonic() >= until:
                break
            self._sleep(LOOK_EVERY_S)
        return False

    def _head(self, event_type: str, row: Row, at: datetime, timed: bool) -> dict[str, Any]:
        return {
            "event_id": _new_id(),
            "event_type": event_type,
            "source": Source.JOURNEY,
            "received_at": self._clock(),
            "at": at,
            "timed": timed,
            "company": _company(row),
        }

    def _put(self, event: Event) -> str:
        kept = self._inbox.accept(event, observations.encode(event))
        if kept.sleeping_shard is not None:
            self._waker.wake_shard(kept.sleeping_shard)
        return event.event_id


def _new_id() -> str:
    return f"journey-{uuid.uuid4().hex}"


def _company(row: Row) -> Company:
    return Company(row["id"], row.get("name"), json.loads(row.get("tags") or "{}"))


def _end_of(answer: ConnectionResponse, stored: StoredConnection | None) -> datetime:
    """When access ended: Codat's ``Date``, which is cut off at the second, but after all that came before."""
    at = answer.asked_at
    if stored is None:
        return at
    before = [fact.at for fact in stored.connection.facts if at <= fact.at < at + SECOND]
    return max(before) + JUST_AFTER if before else at
