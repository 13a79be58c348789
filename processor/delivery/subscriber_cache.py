"""The subscribers as one process knows them."""

from typing import Any

from redis import Redis

from processor.delivery.lane import Mode
from processor.delivery.subscribers import Subscriber, Subscribers
from processor.store import keys

CLOSED = frozenset(mode.value.encode() for mode in Mode if not mode.accepts_notifications)
"""Stored modes of lanes that accept no notifications; one without a mode, or with any other, does."""


class SubscriberCache:
    """The subscribers, read again when their version has changed. Raises ``redis.RedisError``."""

    def __init__(self, client: "Redis[Any]", subscribers: Subscribers) -> None:
        self._client = client
        self._subscribers = subscribers
        self._version: object = self
        self._all: list[Subscriber] = []
        self._accepting: list[Subscriber] = []

    def at(self, version: object) -> list[Subscriber]:
        """All subscribers, where ``version`` was just read from ``subscribers_version``."""
        if version != self._version:
            self._all = self._subscribers.all()
            with self._client.pipeline(transaction=False) as pipe:
                for subscriber in self._all:
                    pipe.hget(keys.lane_state(subscriber.id), "mode")
                modes = pipe.execute(raise_on_error=False)
            self._accepting = [
                subscriber for subscriber, mode in zip(self._all, modes, strict=True) if mode not in CLOSED
            ]
            self._version = version
        return self._all

    def accepting(self, version: object) -> list[Subscriber]:
        """Those of the subscribers whose lanes accept new notifications."""
        self.at(version)
        return self._accepting
