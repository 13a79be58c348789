"""What came by message, compared with what we found out by asking: which messages stayed away."""

from handlers.events import Event, HistorySeen, Source
from handlers.state import State
from handlers.timeline import TimelineEntry, TimelineOutcome
from processor.store.unit_of_work import Batch

MESSAGES = frozenset({Source.CURRENT, Source.LEGACY})

_TOLD_BY_NO_MESSAGE = frozenset({State.SYNCING, State.SYNC_FAILED})
"""No message says that a first sync has begun, and no legacy alert that it failed altogether."""


def note(batch: Batch, connection_id: str, event: Event, entry: TimelineEntry) -> None:
    """Note in ``batch`` what an event says of messages that were missed.

    What a look changed counts as a repair until a message says the same: then it was only late.
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
    if entry.after not in _TOLD_BY_NO_MESSAGE:
        batch.repairs.append(connection_id)
