"""Questions to Codat while a merchant watches a connection that is about to change.

Codat's messages report most changes, but only questions show the progress of a first sync. The wait grows
with each question, so that a page that stays open for a day costs some hundreds of questions.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from redis import Redis

from processor.clock import to_ms, utc_now
from processor.journey.service import Journey
from processor.store import keys
from processor.web.merchant.card import Card

FIRST_WAIT_MS = 2_000
GROWTH = 1.2
MAX_WAIT_MS = 60_000
RESET_AFTER_S = 900
"""Time without a visitor after which the waits start again at ``FIRST_WAIT_MS``."""

MAX_RETURNS = 20
"""Returns from Codat's Link per company within ``RETURNS_WINDOW_S`` that ask Codat at once."""

RETURNS_WINDOW_S = 900


class PagePolling:
    """Queues questions about the connections on open pages."""

    def __init__(
        self, client: "Redis[Any]", journey: Journey, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._client, self._journey, self._clock = client, journey, clock

    def ask_if_due(self, company_id: str, card: Card) -> None:
        """Ask Codat about the connection if a change is expected and the current wait is over."""
        if not card.is_in_motion:
            return
        row = self._client.get(keys.watched(card.id))
        count, next_ms = json.loads(row) if row else (0, 0)
        if to_ms(self._clock()) >= next_ms:
            self._ask(company_id, card.id, count)

    def ask_on_return(self, company_id: str, card: Card) -> None:
        """Ask Codat at once and restart the waits, because the merchant has just come back.

        Anybody can reload that address, so beyond ``MAX_RETURNS`` this is :meth:`ask_if_due`.
        """
        if self._count_return(company_id) <= MAX_RETURNS:
            self._ask(company_id, card.id, 0)
        else:
            self.ask_if_due(company_id, card)

    def _count_return(self, company_id: str) -> int:
        name = keys.returns(company_id)
        with self._client.pipeline(transaction=True) as pipe:
            pipe.set(name, 0, ex=RETURNS_WINDOW_S, nx=True)
            pipe.incr(name)
            _, count = pipe.execute()
        return int(count)

    def _ask(self, company_id: str, connection_id: str, count: int) -> None:
        wait_ms = min(MAX_WAIT_MS, int(FIRST_WAIT_MS * GROWTH ** min(count, 100)))
        row = json.dumps([count + 1, to_ms(self._clock()) + wait_ms])
        self._client.set(keys.watched(connection_id), row, ex=RESET_AFTER_S)
        self._journey.queue_questions(company_id, connection_id)
