"""Puts what a comparison found into the inbox, as ordinary events."""

from collections.abc import Callable
from typing import Any

from redis import Redis
from redis.client import Pipeline

from processor.codat import observations
from processor.reconciliation.diff import CompanyDiff
from processor.store import visibility
from processor.store.inbox import Inbox
from processor.store.waker import Waker


class Enqueuer:
    """Puts the events of a :class:`CompanyDiff` into the inbox and requests a drain."""

    def __init__(self, client: "Redis[Any]", *, inbox: Inbox, waker: Waker) -> None:
        self._client, self._inbox, self._waker = client, inbox, waker

    def enqueue(
        self, diff: CompanyDiff, stage: Callable[["Pipeline[Any]"], object] = lambda _pipe: None
    ) -> None:
        """Write the events, and that Codat shows the company to our key; then request a drain for the events.

        ``stage`` adds to the same transaction.
        """
        with self._client.pipeline(transaction=True) as pipe:
            stage(pipe)
            for event in diff.events:
                self._inbox.add(pipe, event, observations.encode(event))
            if diff.is_shown:
                visibility.mark_shown(pipe, [diff.company_id])
            pipe.execute()
        if diff.events:
            self._waker.wake_drain()
