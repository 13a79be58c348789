"""Fan-out: put each decided notification into the lanes of its recipients."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from redis import Redis

from processor.clock import to_ms, utc_now
from processor.delivery.channels.registry import enabled_channels, guard_key
from processor.delivery.lane import Mode, common_keys
from processor.delivery.scripts import register
from processor.delivery.subscribers import Subscriber, Subscribers
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
        subscribers: Subscribers,
        settings: Settings,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._client = client
        self._subscribers = subscribers
        self._settings = settings
        self._clock = clock
        self._channels = enabled_channels(settings)
        self._script = register(client, "fan_out")

    def run(self) -> int:
        """Fan out until the list is empty; the number of notifications.

        Another process may do the same at the same time: each notification is fanned out once.
        """
        total = 0
        while ids := texts(self._client.lrange(keys.fan_out(), 0, BATCH - 1)):
            count = self._run_batch(ids)
            total += count
            if not count:
                break
        return total

    def _run_batch(self, ids: Sequence[str]) -> int:
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
        subscribers = self._accepting_subscribers()
        now_ms = to_ms(self._clock())
        with self._client.pipeline(transaction=False) as pipe:
            for id_, body in zip(ids, bodies, strict=True):
                lane_ids = self._lane_ids(body, subscribers, companies) if body else []
                lane_keys = [
                    key for lane_id in lane_ids for key in (keys.lane(lane_id), guard_key(lane_id, id_))
                ]
                self._script(
                    keys=[*common_keys(id_), keys.fan_out(), *lane_keys],
                    args=[id_, now_ms, *lane_ids],
                    client=pipe,
                )
            return sum(pipe.execute())

    def _accepting_subscribers(self) -> list[Subscriber]:
        """The subscribers whose lanes accept new notifications."""
        subscribers = self._subscribers.all()
        with self._client.pipeline(transaction=False) as pipe:
            for subscriber in subscribers:
                pipe.hget(keys.lane_state(subscriber.id), "mode")
            modes = pipe.execute() if subscribers else []
        return [
            subscriber
            for subscriber, mode in zip(subscribers, modes, strict=True)
            if mode is None or Mode(mode.decode()).accepts_notifications
        ]

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
