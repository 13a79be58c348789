"""Inbox, drain and reader on one engine, under a clock that only the test moves."""

import dataclasses
import json
import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from redis import Redis

from handlers.registry import Policy
from processor.delivery.fan_out import FanOut
from processor.delivery.subscriber_cache import SubscriberCache
from processor.delivery.subscribers import Subscribers
from processor.settings.loading import load
from processor.store import each_cell, keys, records, timelines
from processor.store.inbox import AcceptResult, Inbox
from processor.store.queries import Reader
from processor.store.questions import Questions
from processor.store.waker import Waker
from tests.support import cells, messages
from tests.support.serving import ENVIRON
from workers.clock import Clock
from workers.inbox.drain import Drain


class Moving:
    """A clock that stands still until it is moved; it never goes back, however many threads move it."""

    def __init__(self, now: datetime = messages.LONG_AGO) -> None:
        self.now = now
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> datetime:
        """Let time pass."""
        with self._lock:
            self.now += timedelta(seconds=seconds)
            return self.now


class Workbench:
    """What a worker works with; ``asked`` counts how often a drain wanted Codat to be asked at once."""

    def __init__(
        self,
        client: "Redis[Any]",
        *,
        policy: Policy | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.client = client
        self.clock = clock if isinstance(clock, Moving) else Moving()
        self.policy = policy or Policy()
        self.inbox = Inbox(client)
        self.reader = Reader(client)
        self.waker = Waker(client)
        self.questions = Questions(client)
        self.asked = 0

    def drain(self, client: "Redis[Any] | None" = None, **how: Any) -> Drain:
        """A drain that does not linger."""
        how = {"linger_s": 0.0, **how}
        return Drain(
            client or self.client,
            policy=self.policy,
            clock=self.clock,
            on_questions=self._count,
            **how,
        )

    def ticking(self, **how: Any) -> Clock:
        """A clock process."""
        how = {"retention_days": 30, "name": "clock-of-the-tests", **how}
        return Clock(self.client, inbox=self.inbox, waker=self.waker, clock=self.clock, **how)

    def send(self, *bodies: bytes, event_id: str | None = None) -> list[AcceptResult]:
        """Accept messages now."""
        kept = []
        for body in bodies:
            event = messages.understood(body, event_id, received_at=self.clock())
            kept.append(self.inbox.accept(event, body))
        return kept

    def fill(self, bodies: Iterable[bytes]) -> list[str]:
        """Accept many messages at once; their event ids."""
        events = [(messages.understood(body, received_at=self.clock()), body) for body in bodies]
        with self.client.pipeline(transaction=False) as pipe:
            for event, body in events:
                self.inbox.add(pipe, event, body)
            pipe.execute()
        return [event.event_id for event, _ in events]

    def handle(self, *bodies: bytes) -> list[str]:
        """Accept messages and drain everything; their event ids."""
        kept = self.send(*bodies)
        self.drain_all()
        return [row.event_id for row in kept]

    def drain_all(self) -> int:
        """Drain every cell until nothing waits; how many messages were handled."""
        drain, handled = self.drain(), 0
        while waiting := self.waiting():
            for cell in waiting:
                handled += drain.run(cell).handled
        return handled

    def published(self) -> list[dict[str, Any]]:
        """What is on the stream, oldest first."""
        return [json.loads(fields[b"notification"]) for _, fields in self.client.xrange(keys.stream())]

    def publish(self, **settings: Any) -> None:
        """Put what was decided on the stream and into lanes, as the dispatcher does."""
        cache = SubscriberCache(self.client, Subscribers(self.client, allow_private=True))
        chosen = dataclasses.replace(load(ENVIRON), **settings)
        fan_out = FanOut(self.client, subscribers=cache, settings=chosen, clock=self.clock)
        fan_out.run()
        while fan_out.has_more:
            fan_out.run()

    def waiting(self) -> list[int]:
        """The cells in which something waits."""
        return cells.waiting(self.client)

    def state(self, connection_id: str) -> str | None:
        """The public state of a connection; ``None`` when we never heard of it."""
        stored = self.reader.connection(connection_id)
        return stored.state if stored else None

    def timeline(self, connection_id: str) -> list[dict[str, Any]]:
        """The timeline of a connection, oldest first."""
        rows = self.client.lrange(cells.where(self.client, keys.timeline, connection_id), 0, -1)
        return [timelines.load(row) for row in rows]

    def told(self, connection_id: str | None = None) -> list[dict[str, Any]]:
        """What was decided to be told, of one connection or of all, oldest first."""
        rows = each_cell.replies(
            self.client, lambda pipe, cell: pipe.zrange(keys.outbox(cell), 0, -1, withscores=True)
        )
        waiting = each_cell.replies(self.client, lambda pipe, cell: pipe.xrange(keys.fan_out(cell)))
        rank = {
            fields[b"id"]: tuple(map(int, entry_id.split(b"-")))
            for entries in waiting
            for entry_id, fields in entries
        }
        decided = [  # a clock that stands still says nothing of the order of commits, the fan-out does
            (rank.get(id_, (0, 0)), score, cell, id_.decode())
            for cell, row in enumerate(rows)
            for id_, score in row
        ]
        places = [(cell, id_) for *_, cell, id_ in sorted(decided)]
        with self.client.pipeline(transaction=False) as pipe:
            for place in places:
                pipe.get(keys.notification(*place))
            notes = zip(places, pipe.execute(), strict=True)
        raws = [records.notification_parts(id_, note)[0] for (_, id_), note in notes]
        bodies = [json.loads(raw) for raw in raws if connection_id is None or connection_id.encode() in raw]
        return [
            body for body in bodies if connection_id is None or body["data"]["connection_id"] == connection_id
        ]

    def told_types(self, connection_id: str | None = None) -> list[str]:
        """The types of what was decided to be told."""
        return [body["type"] for body in self.told(connection_id)]

    def event(self, event_id: str) -> dict[str, Any]:
        """A message as it is kept; it must be."""
        row = self.reader.event(event_id)
        assert row is not None, event_id
        return row

    def status(self, event_id: str) -> str:
        """What became of a message."""
        return str(self.event(event_id)["status"])

    def next_question(self) -> datetime | None:
        """When the earliest question to Codat is due; ``None`` if there is none."""
        return cells.next_question(self.client)

    def jobs(self) -> dict[str, list[list[object]]]:
        """The wake-up calls that wait: arguments by function."""
        result: dict[str, list[list[object]]] = {}
        for queue in self.waker._queues.values():
            for job in queue.jobs:
                result.setdefault(str(job.func_name), []).append(list(job.args))
        return result

    def corrupt(self, event_id: str) -> Callable[[], None]:
        """Damage the stored body of a message, so that handling it raises; returns the repair."""
        body = self.event(event_id)["body"]
        cells.change_message(self.client, event_id, b"\xff damaged")

        def repair() -> None:
            cells.change_message(self.client, event_id, body)

        return repair

    def _count(self) -> None:
        self.asked += 1


def company_in(cell: int, *, nth: int = 0) -> str:
    """A company id that is drained by ``cell``; the ``nth`` of them."""
    names = (f"company-{number}" for number in range(100_000))
    mine = (company_id for company_id in names if keys.cell_of(company_id) == cell)
    for _ in range(nth):
        next(mine)
    return next(mine)
