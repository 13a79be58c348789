"""Asking Codat while somebody looks at a connection that is about to change.

Messages tell us of most changes by themselves; how far a first sync is, only asking tells. The wait grows
with each question, so that a page left open for a day costs some hundreds of them and not ten thousands.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from redis import Redis

from processor.clock import to_ms, utc_now
from processor.journey import Journey
from processor.store import keys
from processor.web.merchant.cards import Card

FIRST_WAIT_MS = 2_000
GROWTH = 1.2
LONGEST_WAIT_MS = 60_000
FORGOTTEN_AFTER_S = 900
"""After so long without a visitor the waits begin anew."""

MOST_RETURNS = 20
"""How often within ``RETURNS_WINDOW_S`` a return from Codat's Link has Codat asked at once, per company."""

RETURNS_WINDOW_S = 900


class PagePolling:
    """Puts questions for those who wait."""

    def __init__(
        self, client: "Redis[Any]", journey: Journey, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._client, self._journey, self._clock = client, journey, clock

    def about(self, company_id: str, card: Card) -> None:
        """Have Codat asked, unless that was done a moment ago or nothing is expected."""
        if not card.is_in_motion:
            return
        kept = self._client.get(keys.watched(card.id))
        count, next_ms = json.loads(kept) if kept else (0, 0)
        if to_ms(self._clock()) >= next_ms:
            self._ask(company_id, card.id, count)

    def anew(self, company_id: str, card: Card) -> None:
        """The same at once and with short waits again: the user has just come back from Codat.

        Anyone can load that address again and again: beyond the budget it is a look like any other.
        """
        if self._may_return(company_id):
            self._ask(company_id, card.id, 0)
        else:
            self.about(company_id, card)

    def _may_return(self, company_id: str) -> bool:
        name = keys.returns(company_id)
        with self._client.pipeline(transaction=True) as pipe:
            pipe.set(name, 0, ex=RETURNS_WINDOW_S, nx=True)
            pipe.incr(name)
            _, count = pipe.execute()
        return int(count) <= MOST_RETURNS

    def _ask(self, company_id: str, connection_id: str, count: int) -> None:
        wait_ms = min(LONGEST_WAIT_MS, int(FIRST_WAIT_MS * GROWTH ** min(count, 100)))
        kept = json.dumps([count + 1, to_ms(self._clock()) + wait_ms])
        self._client.set(keys.watched(connection_id), kept, ex=FORGOTTEN_AFTER_S)
        self._journey.ask_again(company_id, connection_id)
