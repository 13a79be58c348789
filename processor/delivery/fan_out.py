"""Fan-out: put each decided notification into the lanes of its recipients."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from redis import Redis, RedisError

from processor.clock import to_ms, utc_now
from processor.delivery.channels.registry import enabled_channels, guard_key
from processor.delivery.lane import common_keys
from processor.delivery.scripts import RoundTrip, register
from processor.delivery.subscribers import Subscriber, SubscriberCache
from processor.settings.definitions import Settings
from processor.store import keys, unreadable
from processor.store.decoding import text_fields, texts

BATCH = 100


class FanOut:
    """Moves notifications from the fan-out list into lanes. Raises ``redis.RedisError``."""

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
        self._script = register(client, "fan_out")

    def run(self) -> set[str]:
        """Fan out until the list is empty; the lanes that may have got something.

        Another process may do the same at the same time: each notification is fanned out once.
        """
        lane_ids: set[str] = set()
        trip = RoundTrip(self._client, self._script)
        while True:
            trip.add("LRANGE", keys.fan_out(), 0, BATCH - 1)
            trip.add("GET", keys.subscribers_version())
            *counts, ids, version = trip.execute()
            for reply in (*counts, ids, version):
                if isinstance(reply, RedisError):
                    raise reply
            if not ids or (counts and not sum(counts)):
                return lane_ids
            trip = RoundTrip(self._client, self._script)
            lane_ids |= self._add_batch(trip, texts(ids), self._subscribers.at(version))

    def _add_batch(self, trip: RoundTrip, ids: Sequence[str], subscribers: Sequence[Subscriber]) -> set[str]:
        """Add the fan-out of these notifications to ``trip``; the lanes that may get something."""
        with self._client.pipeline(transaction=False) as pipe:
            for id_ in ids:
                pipe.hget(keys.notification(id_), "body")
            bodies = [
                unreadable.read(self._client, "notification", id_, partial(json.loads, stored))
                if stored
                else None
                for id_, stored in zip(ids, pipe.execute(), strict=True)
            ]
        companies = self._companies(body["data"]["company_id"] for body in bodies if body)
        now_ms, touched = to_ms(self._clock()), set[str]()
        for id_, body in zip(ids, bodies, strict=True):
            lane_ids = self._lane_ids(body, subscribers, companies) if body else []
            touched.update(lane_ids)
            lane_keys = [
                key
                for lane_id in lane_ids
                for key in (keys.lane(lane_id), keys.lane_state(lane_id), guard_key(lane_id, id_))
            ]
            trip.call(
                self._script,
                [*common_keys(), keys.fan_out(), keys.deliveries(id_), *lane_keys],
                [id_, now_ms, *lane_ids],
            )
        return touched

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

    def _companies(self, company_ids: Iterable[str | None]) -> dict[str, dict[str, str]]:
        """The stored fields of companies by their id, for the channels that decide by them."""
        ids = list(dict.fromkeys(company_id for company_id in company_ids if company_id))
        if not self._channels or not ids:
            return {}
        with self._client.pipeline(transaction=False) as pipe:
            for company_id in ids:
                pipe.hgetall(keys.company(company_id))
            return {id_: text_fields(row) for id_, row in zip(ids, pipe.execute(), strict=True)}
