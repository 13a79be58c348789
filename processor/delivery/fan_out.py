"""Fan-out: publish each decided notification on the stream, and put it into the lanes of its recipients."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from redis import Redis

from processor.clock import to_ms, utc_now
from processor.delivery.channels.registry import enabled_channels
from processor.delivery.lane import common_keys
from processor.delivery.scripts import register
from processor.delivery.subscriber_cache import SubscriberCache
from processor.delivery.subscribers import Subscriber
from processor.settings.definitions import Settings
from processor.store import keys, records, unreadable
from processor.store.decoding import text, text_fields
from processor.store.round_trip import RoundTrip

BATCH = 100
"""The most notifications of a cell at a time."""

GONE = -1
"""The script's reply for a notification that was erased."""


class Decided(NamedTuple):
    """An entry of a cell's fan-out, and the stored body of its notification (``None``: erased)."""

    cell: int
    entry_id: str
    notification_id: str
    body: Any


class FanOut:
    """Moves notifications from the cells' fan-outs to the stream and into lanes.

    Another process may do the same at the same time. Raises ``redis.RedisError``.
    """

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        subscribers: SubscriberCache,
        settings: Settings,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._client = client
        self._subscribers = subscribers
        self._settings = settings
        self._clock = clock
        self._channels = enabled_channels(settings)
        self._append, self._script = (register(client, name) for name in ("append", "fan_out"))

    def run(self) -> set[tuple[str, int]]:
        """Fan out until nothing is left; the lanes that may have got something, and in which cell.

        A notification leaves its fan-out after it was appended to the stream, which a mark beside the stream
        keeps from happening twice.
        """
        touched: set[tuple[str, int]] = set()
        trip, appended = self._trip(), dict[int, tuple[Decided, Any]]()
        while True:
            calls = len(trip)
            for cell in keys.cells():
                trip.add("XRANGE", keys.fan_out(cell), "-", "+", "COUNT", BATCH)
            trip.add("GET", keys.subscribers_version())
            *replies, version = trip.results()
            done = replies[:calls]
            self._unpublish([appended[number] for number, reply in enumerate(done) if reply != 1])
            entries = [
                (cell, text(entry_id), text(fields[b"id"]))
                for cell, rows in zip(keys.cells(), replies[calls:], strict=True)
                for entry_id, fields in rows
            ]
            if not entries or (done and not any(done)):
                return touched
            decided = self._read(entries)
            bodies = [self._parsed(notification) for notification in decided]
            trip = self._trip()
            companies, stream_ids = self._publish(decided, bodies)
            appended = dict(enumerate(zip(decided, stream_ids, strict=True)))
            subscribers = self._subscribers.accepting(version)
            for notification, body in zip(decided, bodies, strict=True):
                lane_ids = self._lane_ids(body, subscribers, companies) if body else []
                touched.update((lane_id, notification.cell) for lane_id in lane_ids)
                self._add_fan_out(trip, notification, lane_ids)

    def _trip(self) -> RoundTrip:
        return RoundTrip(self._client, self._append, self._script)

    def _read(self, entries: Sequence[tuple[int, str, str]]) -> list[Decided]:
        trip = self._trip()
        for cell, _, notification_id in entries:
            trip.add("GET", keys.notification(cell, notification_id))
        rows = trip.execute()
        bodies = [records.notification_parts(row)[0] if isinstance(row, bytes) else row for row in rows]
        return [Decided(*entry, body) for entry, body in zip(entries, bodies, strict=True)]

    def _parsed(self, notification: Decided) -> Mapping[str, Any] | None:
        """The public body; ``None`` where it was erased or cannot be read."""
        if notification.body is None:
            return None

        def parse() -> Mapping[str, Any]:
            if unreadable.is_wrong_type(notification.body):
                raise TypeError("a key of another type")
            body: Mapping[str, Any] = json.loads(notification.body)
            return body

        return unreadable.read(self._client, "notification", notification.notification_id, parse)

    def _publish(
        self, decided: Sequence[Decided], bodies: Sequence[Mapping[str, Any] | None]
    ) -> tuple[dict[str, dict[str, str]], Sequence[bytes]]:
        """Append notifications to the stream.

        Returns the stored fields of their companies by id, for the channels that decide by them, and the ids
        of the new entries.
        """
        trip = self._trip()
        args: list[Any] = [self._settings.stream_length]
        for notification, body in zip(decided, bodies, strict=True):
            args += [notification.cell, notification.entry_id, notification.body if body else ""]
        trip.call(self._append, [keys.stream(), keys.stream_progress()], args)
        ids = dict.fromkeys(body["data"]["company_id"] for body in bodies if body) if self._channels else {}
        company_ids = [company_id for company_id in ids if company_id]
        for company_id in company_ids:
            trip.add("HGETALL", keys.company(company_id))
        stream_ids, *rows = trip.results()
        return {id_: text_fields(row) for id_, row in zip(company_ids, rows, strict=True)}, stream_ids

    def _add_fan_out(self, trip: RoundTrip, notification: Decided, lane_ids: Sequence[str]) -> None:
        cell, entry_id, notification_id, _ = notification
        trip.call(
            self._script,
            [
                *common_keys(cell),
                keys.fan_out(cell),
                keys.closed_lanes(cell),
                keys.deliveries(cell, notification_id),
                keys.notification(cell, notification_id),
                *(keys.lane(cell, lane_id) for lane_id in lane_ids),
            ],
            [entry_id, notification_id, to_ms(self._clock()), *lane_ids],
        )

    def _unpublish(self, appended: Sequence[tuple[Decided, bytes]]) -> None:
        """Remove the entries of notifications that were erased while they were appended to the stream."""
        entries = {notification: stream_id for notification, stream_id in appended if stream_id}
        if not entries:
            return
        trip = self._trip()
        for notification in entries:
            trip.add("EXISTS", keys.notification(notification.cell, notification.notification_id))
        erased = [id_ for id_, exists in zip(entries.values(), trip.results(), strict=True) if not exists]
        if erased:
            self._client.xdel(keys.stream(), *erased)

    def _lane_ids(
        self,
        body: Mapping[str, Any],
        subscribers: Iterable[Subscriber],
        companies: Mapping[str, Mapping[str, str]],
    ) -> list[str]:
        """The lanes of a notification."""
        company = companies.get(body["data"]["company_id"], {})
        return [
            *(subscriber.id for subscriber in subscribers if subscriber.wants(body["type"])),
            *(channel.name for channel in self._channels if channel.wants(self._settings, body, company)),
        ]
