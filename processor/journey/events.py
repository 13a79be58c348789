"""Changes made on the journey, written into the inbox as ordinary events after Codat made them."""

import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from redis.client import Pipeline

from handlers.events import (
    Company,
    CompanyDeleted,
    ConnectionCreated,
    ConnectionDeleted,
    ConnectionDetails,
    ConnectionEnded,
    Event,
    LinkStatus,
    Trigger,
    UnhandledEvent,
)
from processor.codat import observation_types, observations
from processor.codat.models import ConnectionResponse
from processor.store.inbox import Inbox
from processor.store.queries import Reader
from processor.store.records import StoredConnection
from processor.store.waker import Waker

SECOND = timedelta(seconds=1)
"""Precision of the ``Date`` header of Codat's answers, which is truncated to seconds."""

TICK = timedelta(microseconds=1)
POLL_INTERVAL_S = 0.02

CompanyFields = Mapping[str, str]
"""The stored fields of a company."""


class JourneyEvents:
    """Writes the journey's events into the inbox; each ``record_`` method returns the event's id.

    ``settle_s`` is how long ``wait_until_handled`` waits, in seconds, so that the caller's next request
    sees the change; 0 disables waiting.
    """

    def __init__(
        self,
        *,
        inbox: Inbox,
        waker: Waker,
        reader: Reader,
        clock: Callable[[], datetime],
        settle_s: float,
    ) -> None:
        self._inbox, self._waker, self._reader = inbox, waker, reader
        self._clock, self._settle_s = clock, settle_s

    def is_known(self, connection_id: str) -> bool:
        """Whether the store has the connection."""
        return self._reader.connection(connection_id) is not None

    def record_created(self, company: CompanyFields, response: ConnectionResponse) -> str:
        """Record that a connection was created."""
        at = response.created or response.asked_at
        fields = self._fields(observation_types.CONNECTION_CREATED, company, at, timed=response.timed)
        return self._put(ConnectionCreated(**fields, connection=response.details))

    def record_seen(self, company: CompanyFields, response: ConnectionResponse) -> str:
        """Record the connection as Codat shows it."""
        return self._put(
            observations.connection_seen(response, received_at=self._clock(), company=_company_of(company))
        )

    def record_unlinked(
        self, company: CompanyFields, response: ConnectionResponse, stored: StoredConnection
    ) -> str:
        """Record that Codat unlinked the connection on request."""
        at = _ended_at(response, stored)
        fields = self._fields(observation_types.CONNECTION_UNLINKED, company, at, timed=response.timed)
        return self._put(ConnectionEnded(**fields, connection=response.details, reason=LinkStatus.UNLINKED))

    def record_deleted(self, company: CompanyFields, connection_id: str) -> str:
        """Record that Codat deleted the connection on request, at the local time."""
        fields = self._fields(observation_types.CONNECTION_DELETED, company)
        return self._put(ConnectionDeleted(**fields, connection=ConnectionDetails(connection_id)))

    def record_consent(
        self, company: CompanyFields, connection_id: str, version: str, person_id: str | None
    ) -> str:
        """Record that the user agreed to a text before going on to the platform, at the local time.

        ``person_id``: whose link they used, if it was not the company's own.
        """
        used = f", with the link of {person_id}" if person_id else ""
        reason = f"the user agreed to the text {version}{used}"
        return self._put(self._step(observation_types.CONSENT_GIVEN, company, connection_id, reason))

    def record_account_confirmed(self, company: CompanyFields, connection_id: str, account_name: str) -> str:
        """Record that the user meant to connect another account than before, at the local time."""
        reason = f"the user confirmed that it is {account_name} now"
        return self._put(self._step(observation_types.ACCOUNT_CONFIRMED, company, connection_id, reason))

    def add_step(
        self,
        pipe: "Pipeline[Any]",
        company: CompanyFields,
        event_type: str,
        *,
        connection_id: str | None,
        reason: str,
    ) -> datetime:
        """Stage a step of a visitor, now, in a transaction of the caller; its time."""
        event = self._step(event_type, company, connection_id, reason)
        self._inbox.add(pipe, event, observations.encode(event))
        return event.received_at

    def record_company_deleted(self, company: CompanyFields) -> str:
        """Record that Codat deleted the company on request, at the local time."""
        return self._put(CompanyDeleted(**self._fields(observation_types.COMPANY_DELETED, company)))

    def wait_until_handled(self, event_id: str) -> bool:
        """Wait up to ``settle_s`` until a worker handled the event; whether it was processed."""
        deadline = time.monotonic() + self._settle_s
        while self._settle_s > 0:
            row = self._reader.event(event_id)
            if row is None or row.get("status") != "pending":
                return row is not None and row.get("status") == "processed"
            if time.monotonic() >= deadline:
                break
            time.sleep(POLL_INTERVAL_S)
        return False

    def _fields(
        self, event_type: str, company: CompanyFields, at: datetime | None = None, *, timed: bool = True
    ) -> dict[str, Any]:
        return observations.envelope(
            event_type, received_at=self._clock(), company=_company_of(company), at=at, timed=timed
        )

    def _step(
        self, event_type: str, company: CompanyFields, connection_id: str | None, reason: str
    ) -> UnhandledEvent:
        """What a user did, which changes nothing and stands on the timeline."""
        fields = self._fields(event_type, company) | {"trigger": Trigger(reason)}
        return UnhandledEvent(**fields, connection_id=connection_id)

    def _put(self, event: Event) -> str:
        accepted = self._inbox.accept(event, observations.encode(event))
        if accepted.sleeping_cell is not None:
            self._waker.wake_drain()
        return event.event_id


def _company_of(company: CompanyFields) -> Company:
    return Company(company["id"], company.get("name"), json.loads(company.get("tags") or "{}"))


def _ended_at(response: ConnectionResponse, stored: StoredConnection) -> datetime:
    """When access ended: Codat's ``Date``, moved behind the facts stored within that same second."""
    at = response.asked_at
    same_second = [fact.at for fact in stored.connection.facts if at <= fact.at < at + SECOND]
    return max(same_second) + TICK if same_second else at
