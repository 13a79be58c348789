"""The kept messages about a connection, and the connection that follows from them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from handlers.connection import Connection
from handlers.events import Event, QuestionUnanswered, Trigger, UnhandledEvent
from handlers.machine import advance
from handlers.registry import Context, Policy
from processor.alerts.replay import decode_event
from processor.clock import from_iso
from processor.store import cursors
from processor.store.queries import Reader

PAGE_SIZE = 200


@dataclass(frozen=True, slots=True)
class KeptMessages:
    """Reads the messages of the last EVENT_RETENTION_DAYS about one connection."""

    reader: Reader

    def rows(self, connection_id: str, company_id: str | None) -> list[dict[str, Any]]:
        """The messages that name the connection or no connection, newest first, without bodies.

        Those of all companies if ``company_id`` is ``None``.
        """
        fetch_page = partial(self.reader.list_events, status=None, company_id=company_id, limit=PAGE_SIZE)
        rows: Iterator[dict[str, Any]] = cursors.all_items(fetch_page)
        return [row for row in rows if _may_concern(row, connection_id)]

    def rebuilt(
        self,
        connection_id: str,
        company_id: str | None,
        event_ids: Sequence[str],
        *,
        policy: Policy,
        trigger: Trigger | None = None,
        now_of: Callable[[Event], datetime],
        places: Mapping[str, int] | None = None,
    ) -> tuple[Connection | None, int]:
        """The connection after the messages and their number; ``None`` if no message names it.

        ``now_of`` is the time at which a message counts as handled, and ``places`` the order of messages
        that were handled at one time. ``trigger`` replaces that of each event.
        """
        order = places or {}
        events = sorted(
            filter(None, map(self._event, event_ids)),
            key=lambda event: (now_of(event), order.get(event.event_id, len(order)), event.at),
        )
        merchant_id = (self.reader.company(company_id) or {}).get("merchant_id") if company_id else None
        connection, count = Connection(connection_id, company_id=company_id, merchant_id=merchant_id), 0
        for event in events:
            is_named = connection_id in event.connection_ids
            if not (is_named or event.concerns_whole_company):
                continue
            if count == 0 and (not is_named or isinstance(event, (UnhandledEvent, QuestionUnanswered))):
                continue
            context = Context(now_of(event), policy, company_known=True)
            event = event if trigger is None else replace(event, trigger=trigger)
            connection = advance(connection, event, context).connection
            count += 1
        return (connection, count) if count else (None, 0)

    def _event(self, event_id: str) -> Event | None:
        row = self.reader.event(event_id)
        if row is None:
            return None
        try:
            return decode_event(
                row["body"],
                source=row.get("source", ""),
                event_id=event_id,
                received_at=from_iso(row["received_at"]),
            )
        except ValueError:
            return None


def _may_concern(row: Mapping[str, Any], connection_id: str) -> bool:
    """Whether a message may concern the connection: it names this connection, or none."""
    return not row["connection_ids"] or connection_id in row["connection_ids"]
