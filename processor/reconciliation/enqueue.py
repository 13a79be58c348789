"""Findings go into the inbox, as ordinary events."""

from typing import Any

from redis import Redis
from redis.client import Pipeline

from processor.codat import observations
from processor.reconciliation.diff import CompanyDiff
from processor.store import visibility
from processor.store.inbox import Inbox
from processor.store.waker import Waker


class Enqueuer:
    """Puts what looks found out into the inbox, and wakes who handles it."""

    def __init__(self, client: "Redis[Any]", *, inbox: Inbox, waker: Waker) -> None:
        self._client, self._inbox, self._waker = client, inbox, waker

    def add(self, pipe: "Pipeline[Any]", look: CompanyDiff) -> None:
        """Add to a transaction: the findings, and that Codat shows us the company."""
        for event in look.events:
            self._inbox.add(pipe, event, observations.encode(event))
        if look.shown:
            visibility.mark_shown(pipe, [look.company_id])

    def wake(self, look: CompanyDiff) -> None:
        """Have the findings handled."""
        if look.events:
            self._waker.wake_shard(self._inbox.shard_of(look.events[0]))

    def put(self, look: CompanyDiff) -> None:
        """All of it at once."""
        with self._client.pipeline(transaction=True) as pipe:
            self.add(pipe, look)
            pipe.execute()
        self.wake(look)
