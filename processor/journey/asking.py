"""Questions to Codat on behalf of somebody who watches a journey."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from redis import Redis

from handlers.effects import Ask
from handlers.events import Aspect
from handlers.state import LINKED_STATES
from processor.journey.lookup import Lookup
from processor.journey.records import Records
from processor.store import keys, questions, wakeups
from processor.store.waker import Waker

ASK_PAUSE_S = 3
"""Minimum whole seconds between two rounds of questions to Codat about one company."""

MAX_ASKED = 20
"""Maximum number of connections in one round of questions about a company."""

REASON = "somebody on the journey wants to know"


class CompanyQuestions:
    """Queues questions; ``patience_s`` is how long they wait for Codat."""

    def __init__(
        self,
        *,
        client: "Redis[Any]",
        waker: Waker,
        records: Records,
        lookup: Lookup,
        patience_s: int,
        clock: Callable[[], datetime],
    ) -> None:
        self._client, self._waker, self._records, self._lookup = client, waker, records, lookup
        self._patience, self._clock = timedelta(seconds=patience_s), clock

    def queue(self, company_id: str, connection_id: str | None = None) -> bool:
        """Queue questions about one connection, or about all of a company; false if there is none.

        Two rounds of questions about one company are at least ``ASK_PAUSE_S`` apart, however often this is
        called.
        """
        connections = [
            stored
            for stored in self._lookup.connections(company_id)
            if connection_id in (None, stored.connection.id)
        ][:MAX_ASKED]
        if not connections:
            return False
        now = self._clock()
        not_before = now + timedelta(seconds=self._records.question_delay_s(company_id, ASK_PAUSE_S))
        deadline = not_before + self._patience
        asks = [
            Ask(aspect, company_id, stored.connection.id, not_before, deadline, REASON)
            for stored in connections
            for aspect in (
                (Aspect.CONNECTION, Aspect.HISTORY) if stored.state in LINKED_STATES else (Aspect.CONNECTION,)
            )
        ]
        with self._client.pipeline(transaction=True) as pipe:
            questions.write(pipe, keys.cell_of(company_id), asks)
            pipe.execute()
        if wakeups.claim_question_run(self._client, now):
            self._waker.wake_question_runner()
        return True
