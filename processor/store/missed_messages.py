"""Detects messages that Codat did not deliver, from changes found by polling."""

from handlers.events import Event, HistorySeen, Source
from handlers.state import State
from handlers.timeline import TimelineEntry, TimelineOutcome
from processor.store.unit_of_work import Batch

MESSAGES = frozenset({Source.CURRENT, Source.LEGACY})

_STATES_WITHOUT_MESSAGE = frozenset({State.SYNCING, State.SYNC_FAILED})
"""No message reports the start of a first sync, and no legacy alert its complete failure."""


def note(batch: Batch, connection_id: str, event: Event, entry: TimelineEntry) -> None:
    """Record in ``batch`` whether an event shows a missed message.

    A change found by a poll counts as a repair until a message reports the same: that message was only late.
    """
    if event.source in MESSAGES:
        if entry.outcome is TimelineOutcome.TWIN:
            batch.confirmed.append(connection_id)
        return
    trigger = event.trigger
    if trigger is None or trigger.quiet or entry.outcome is not TimelineOutcome.APPLIED:
        return
    if isinstance(event, HistorySeen) and (entry.before == entry.after or entry.after == State.SYNCING):
        return
    if trigger.repairs:
        batch.count("missed_messages")
    if entry.after not in _STATES_WITHOUT_MESSAGE:
        batch.repairs.append(connection_id)
