"""Questions to Codat while a merchant watches a connection that is about to change.

Codat's messages report most changes, but only questions show the progress of a first sync. The wait grows
with each question, so that a page that stays open for a day costs some hundreds of questions.
"""

import json

from processor.clock import to_ms
from processor.store import keys
from processor.web import windows
from processor.web.dependencies import get_container
from processor.web.merchant.card import Card

FIRST_WAIT_MS = 2_000
GROWTH = 1.2
MAX_WAIT_MS = 60_000
RESET_AFTER_S = 900
"""Time without a visitor after which the waits start again at ``FIRST_WAIT_MS``."""

MAX_RETURNS = 20
"""Returns from Codat's Link per company within ``RETURNS_WINDOW_S`` that ask Codat at once."""

RETURNS_WINDOW_S = 900


def ask_if_due(company_id: str, card: Card) -> None:
    """Ask Codat about the connection if a change is expected and the current wait is over."""
    if not card.is_in_motion:
        return
    container = get_container()
    row = container.redis.get(keys.watched(card.id))
    count, next_ms = json.loads(row) if row else (0, 0)
    if to_ms(container.clock()) >= next_ms:
        _ask(company_id, card.id, count)


def ask_on_return(company_id: str, card: Card) -> None:
    """Ask Codat at once and restart the waits, because the merchant has just come back.

    Anybody can reload that address, so beyond ``MAX_RETURNS`` this is :func:`ask_if_due`.
    """
    if windows.count(keys.returns(company_id), RETURNS_WINDOW_S) <= MAX_RETURNS:
        _ask(company_id, card.id, 0)
    else:
        ask_if_due(company_id, card)


def _ask(company_id: str, connection_id: str, count: int) -> None:
    container = get_container()
    wait_ms = min(MAX_WAIT_MS, int(FIRST_WAIT_MS * GROWTH ** min(count, 100)))
    row = json.dumps([count + 1, to_ms(container.clock()) + wait_ms])
    container.redis.set(keys.watched(connection_id), row, ex=RESET_AFTER_S)
    container.journey.queue_questions(company_id, connection_id)
