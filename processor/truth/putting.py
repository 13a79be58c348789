"""Findings go into the inbox, as ordinary events."""

from typing import Any

from redis import Redis
from redis.client import Pipeline

from processor.codat import findings
from processor.queues import Bell
from processor.store import visibility
from processor.store.inbox import Inbox
from processor.truth.comparison import Look


class Putter:
    """Puts what looks found out into the inbox, and wakes who handles it."""

    def __init__(self, client: "Redis[Any]", *, inbox: Inbox, bell: Bell) -> None:
        self._client, self._inbox, self._bell = client, inbox, bell

    def add(self, pipe: "Pipeline[Any]", look: Look) -> None:
        """Add to a transaction: the findings, and that Codat shows us the company."""
        for event in look.events:
            self._inbox.add(pipe, event, findings.encode(event))
        if look.shown:
            visibility.mark_shown(pipe, [look.company_id])

    def wake(self, look: Look) -> None:
        """Have the findings handled."""
        if look.events:
            self._bell.wake_shard(self._inbox.shard_of(look.events[0]))

    def put(self, look: Look) -> None:
        """All of it at once."""
        with self._client.pipeline(transaction=True) as pipe:
            self.add(pipe, look)
            pipe.execute()
        self.wake(look)
