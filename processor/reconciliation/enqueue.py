"""Puts what a comparison found into the inbox, as ordinary events."""

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

    def add(self, pipe: "Pipeline[Any]", diff: CompanyDiff) -> None:
        """Add to a transaction: the events, and that Codat shows the company to our key."""
        for event in diff.events:
            self._inbox.add(pipe, event, observations.encode(event))
        if diff.is_shown:
            visibility.mark_shown(pipe, [diff.company_id])

    def wake(self, diff: CompanyDiff) -> None:
        """Request a drain if there are events; call it after the transaction."""
        if diff.events:
            self._waker.wake_drain()

    def enqueue(self, diff: CompanyDiff) -> None:
        """Write the events in a transaction of their own and request a drain."""
        with self._client.pipeline(transaction=True) as pipe:
            self.add(pipe, diff)
            pipe.execute()
        self.wake(diff)
