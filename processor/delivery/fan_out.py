"""Fan-out: publish each decided notification on the stream, and put it into the lanes of its recipients."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

import msgspec
from redis import Redis, RedisError
from redis.exceptions import AskError

from processor.clock import to_ms
from processor.delivery.channels.registry import enabled_channels
from processor.delivery.lane import common_keys
from processor.delivery.lane_places import Place
from processor.delivery.scripts import register
from processor.delivery.subscriber_cache import SubscriberCache
from processor.delivery.subscribers import Subscriber
from processor.settings.definitions import Settings
from processor.store import keys, records, unreadable
from processor.store.acknowledgement import NONE, Acknowledgement, NotReplicated
from processor.store.decoding import text, text_fields
from processor.store.each_cell import grouped
from processor.store.records import COMPANY, NOTIFICATION
from processor.store.round_trip import RoundTrip

BATCH = 100
"""The most notifications of a cell at a time."""

REMEMBERED = 500
"""Published notifications of each cell that are remembered beside the stream."""

MOST_FOLLOWING = 200
"""How many may follow the newest one that a process knew of before it read a fan-out.

Those that are published and still in a fan-out are among its oldest, and each process that reads these has
them remembered anew: some hundred may have followed since, and no more than ``REMEMBERED`` with these.
"""

STREAM_PAGE = 1_000

PUT, ERASED = 1, -1
"""Replies of the script that ends a notification's fan-out: it is in its lanes, or was erased."""


@dataclass(frozen=True, slots=True, eq=False)
class FanOutEntry:
    """An entry of a cell's fan-out, and its notification: the public JSON, and the same parsed.

    They are empty and ``None`` where it was erased or cannot be read.
    """

    cell: int
    entry_id: str
    notification_id: str
    document: bytes
    body: Mapping[str, Any] | None


class FanOut:
    """Moves notifications from the cells' fan-outs to the stream and into lanes.

    Another process may do the same at the same time. Raises ``redis.RedisError`` if a server cannot be
    reached. What is refused of a key or a node keeps only those from going on that need it: a key of another
    type is noted for operators, and the first other refusal of a run is its ``error``.
    """

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        subscribers: SubscriberCache,
        settings: Settings,
        clock: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._subscribers = subscribers
        self._settings = settings
        self._clock = clock
        self._channels = enabled_channels(settings)
        self._append, self._script = (register(client, name) for name in ("append", "fan_out"))
        self._acknowledgement = Acknowledgement.of(settings)
        self._numbers: dict[int, int] = {}
        """The number of the newest published notification of each cell, as last heard."""
        self._entries: list[tuple[int, str, str]] = []
        """Cell, entry and notification of what waits, as read at the end of the last run."""
        self._version: Any = None
        self.error: RedisError | None = None

    @property
    def has_more(self) -> bool:
        """Whether more waited when a run ended."""
        return bool(self._entries)

    def run(self) -> set[Place]:
        """Fan out a batch of each cell; the lanes that may have got something, and in which cell.

        A notification leaves its fan-out after it was appended to the stream, which remembers it, and after
        ``ACK_REPLICAS`` have the entry.
        """
        self.error = None
        if not self._entries:
            self._put(self._trip(), {})
        decided, self._entries = self._read(self._entries), []
        if not decided:
            return set()
        known = dict(self._numbers)
        appended, companies = self._publish(decided)
        subscribers, trip = self._subscribers.accepting(self._version), self._trip()
        touched: set[Place] = set()
        for cell, of_cell in _by_cell(appended).items():
            lane_ids = [self._lane_ids(row.body, subscribers, companies) for row in of_cell]
            touched.update((lane_id, cell) for lane_id in chain(*lane_ids))
            self._add_fan_out(trip, cell, of_cell, lane_ids)
        replies = self._put(trip, appended)
        left = {row.cell for row in decided if row not in appended}
        is_behind = not self.error and any(self._numbers.get(cell) != known.get(cell) for cell in left)
        if not is_behind and not any(reply in (PUT, ERASED) for reply in replies):
            self._entries = []  # another process is at it, or no cell can go on
        return touched

    def _trip(self, acknowledgement: Acknowledgement = NONE) -> RoundTrip:
        return RoundTrip(self._client, self._append, self._script, acknowledgement=acknowledgement)

    def _is_refused(self, kind: str, id_: object, reply: Any) -> bool:
        """Whether a reply is an error: a key of another type is noted, any other one is kept."""
        return not self._is_read(kind, id_, reply) or isinstance(reply, RedisError)

    def _is_read(self, kind: str, id_: object, reply: Any) -> bool:
        """Whether a key was read, if only to see that it has another type, which is noted."""
        try:
            unreadable.is_damaged(self._client, kind, str(id_), reply)
        except RedisError as error:
            self.error = self.error or error
            return False
        return True

    def _put(self, trip: RoundTrip, appended: Mapping[FanOutEntry, bytes]) -> Sequence[Any]:
        """Execute ``trip``, which puts what was appended into lanes, and read what waits; its replies."""
        for cell in keys.cells():
            trip.add("XRANGE", keys.fan_out(cell), "-", "+", "COUNT", BATCH)
        trip.add("GET", keys.subscribers_version())
        *replies, version = trip.execute()
        cells, settled = _by_cell(appended), list[Any]()
        for of_cell, reply in zip(cells.values(), replies, strict=False):
            settled += [None] * len(of_cell) if isinstance(reply, RedisError) else reply
        # Erased while they were appended: the eraser may have read the stream before.
        erased = {
            row: id_ for (row, id_), reply in zip(appended.items(), settled, strict=True) if reply == ERASED
        }
        self._remove_erased(erased)
        removed = {(row.cell, row.entry_id) for row in erased}
        for cell, reply in zip(cells, replies, strict=False):
            self._is_refused("closed_lanes", cell, reply)
        for notification, reply in zip(appended, settled, strict=True):
            self._is_refused("deliveries", notification.notification_id, reply)
        if self._is_refused("subscribers", "version", version):  # nobody knows who gets what waits
            return settled
        self._version = version
        self._entries = [
            (cell, text(entry_id), text(fields[b"id"]))
            for cell, rows in zip(keys.cells(), replies[len(cells) :], strict=True)
            if not self._is_refused("fan_out", cell, rows)
            for entry_id, fields in rows
            if (cell, text(entry_id)) not in removed
        ]
        return settled

    def _remove_erased(self, erased: Mapping[FanOutEntry, bytes]) -> None:
        """Remove erased notifications from the stream, also entries of a run that ended early.

        A failover may have taken one instead, after it was read here: it is decided again under the same id,
        so the stream forgets it. It leaves the fan-out last, so that another run does what this one leaves
        undone.
        """
        if new := [id_ for id_ in erased.values() if id_]:
            self._client.xdel(keys.stream(), *new)
        earlier = tuple(
            b'{"id":"%s"' % row.notification_id.encode()
            for row, id_ in erased.items()
            if not id_ and self._client.zscore(keys.published(row.cell), row.notification_id)
        )
        start = "-"
        while earlier and (rows := self._client.xrange(keys.stream(), min=start, count=STREAM_PAGE)):
            for entry_id, fields in rows:
                if fields.get(b"notification", b"").startswith(earlier):
                    self._client.xdel(keys.stream(), entry_id)
            start = f"({text(rows[-1][0])}"
        for cell, of_cell in _by_cell(erased).items():
            self._client.zrem(keys.published(cell), *(row.notification_id for row in of_cell))
            self._client.xdel(keys.fan_out(cell), *(row.entry_id for row in of_cell))

    def _read(self, entries: Sequence[tuple[int, str, str]]) -> list[FanOutEntry]:
        trip = self._trip()
        for cell, _, notification_id in entries:
            trip.add("GET", keys.notification(cell, notification_id))
        decided = []
        for entry, row in zip(entries, trip.execute(), strict=True):
            if self._is_read(NOTIFICATION, entry[2], row):
                decided.append(FanOutEntry(*entry, *self._parsed(entry[2], row)))
        return decided

    def _parsed(self, notification_id: str, row: Any) -> tuple[bytes, Mapping[str, Any] | None]:
        """The public JSON of a notification, and the same parsed."""

        def parse() -> tuple[bytes, Mapping[str, Any]]:
            document, _ = records.notification_parts(notification_id, row)
            body = msgspec.json.decode(document)
            _ = body["type"], body["data"]["company_id"]  # by which lanes are chosen
            return document, body

        if row is None or isinstance(row, RedisError):
            return b"", None
        return unreadable.read(self._client, NOTIFICATION, notification_id, parse) or (b"", None)

    def _publish(
        self, decided: Sequence[FanOutEntry]
    ) -> tuple[dict[FanOutEntry, bytes], dict[str, Mapping[str, str]]]:
        """Append notifications to the stream.

        Returns those that are on it with the ids of their new entries, and the stored fields of their
        companies by id, for the channels that decide by them. What has to be read again, or is to be appended
        again because too few replicas have it, is left out.
        """
        trip = self._trip(self._acknowledgement)
        reads = self._trip() if self._acknowledgement.replicas else trip  # other nodes need no WAIT
        cells = _by_cell(decided)
        for cell, of_cell in cells.items():
            known = self._numbers.get(cell, 0)
            args: list[Any] = [self._settings.stream_length, REMEMBERED, known, MOST_FOLLOWING]
            for notification in of_cell:
                args += [notification.notification_id, notification.document]
            trip.call(self._append, [keys.stream(), keys.published(cell)], args)
        ids = dict.fromkeys(filter(None, map(_company_id, decided))) if self._channels else {}
        for company_id in ids:
            reads.add("HGETALL", keys.company(company_id))
        replies, appended = trip.execute(), dict[FanOutEntry, bytes]()
        if reads is not trip:
            replies += reads.execute()
        companies: dict[str, Mapping[str, str]] = {
            id_: {} if isinstance(row, RedisError) else text_fields(row)
            for id_, row in zip(ids, replies[len(cells) :], strict=True)
            if self._is_read(COMPANY, id_, row)
        }
        unread = ids.keys() - companies.keys()
        for (cell, of_cell), reply in zip(cells.items(), replies, strict=False):
            if isinstance(reply, (NotReplicated, AskError)):  # another look, and maybe another node
                continue
            if not self._is_refused(*self._damaged_by(cell, reply), reply):
                self._numbers[cell], *stream_ids = reply
                rows = zip(of_cell, stream_ids, strict=False)
                appended.update(row for row in rows if _company_id(row[0]) not in unread)
        return appended, companies

    def _damaged_by(self, cell: int, reply: Any) -> tuple[str, object]:
        """Kind and id of what has another type where an append was refused."""
        is_wrong_type = isinstance(reply, RedisError) and str(reply).startswith("WRONGTYPE")
        if is_wrong_type and self._client.execute_command("TYPE", keys.stream()) not in (b"stream", b"none"):
            return "stream", keys.stream()
        return "published", cell

    def _add_fan_out(
        self, trip: RoundTrip, cell: int, decided: Sequence[FanOutEntry], lane_ids: Sequence[Sequence[str]]
    ) -> None:
        numbers = {lane_id: str(at) for at, lane_id in enumerate(dict.fromkeys(chain(*lane_ids)), 1)}
        lanes = [keys.lane(cell, lane_id) for lane_id in numbers]
        names = [*common_keys(cell), keys.fan_out(cell), keys.closed_lanes(cell), *lanes]
        args = [to_ms(self._clock()), len(numbers), *numbers]
        for row, of_row in zip(decided, lane_ids, strict=True):
            names += [
                keys.deliveries(cell, row.notification_id),
                keys.notification(cell, row.notification_id),
            ]
            args += [row.entry_id, row.notification_id, " ".join(numbers[lane_id] for lane_id in of_row)]
        trip.call(self._script, names, args)

    def _lane_ids(
        self,
        body: Mapping[str, Any] | None,
        subscribers: Iterable[Subscriber],
        companies: Mapping[str, Mapping[str, str]],
    ) -> list[str]:
        """The lanes of a notification."""
        if body is None:
            return []
        company = companies.get(body["data"]["company_id"], {})
        return [
            *(subscriber.id for subscriber in subscribers if subscriber.wants(body["type"])),
            *(channel.name for channel in self._channels if channel.wants(self._settings, body, company)),
        ]


def _company_id(notification: FanOutEntry) -> str | None:
    return notification.body["data"]["company_id"] if notification.body else None


def _by_cell(decided: Iterable[FanOutEntry]) -> dict[int, list[FanOutEntry]]:
    return grouped((notification.cell, notification) for notification in decided)
