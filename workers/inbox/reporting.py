"""What became of the messages of a batch: errors to record, lines of the log, and spans."""

import logging
import traceback
from datetime import datetime

from processor.runtime import tracing
from processor.store.unit_of_work import Batch, WaitingMessage
from processor.store.waker import HANDLING_RETRIES

_log = logging.getLogger(__name__)

MOST_TRACE = 4_000


def fail(batch: Batch, message: WaitingMessage, now: datetime) -> None:
    """Record the error that handling ``message`` raised, and the time of the next attempt."""
    trace = traceback.format_exc()[-MOST_TRACE:]
    is_last = message.record.attempts >= len(HANDLING_RETRIES)
    again = None if is_last else now + HANDLING_RETRIES[message.record.attempts]
    batch.failed.append((message, trace, again))
    batch.count("dead_letters" if is_last else "handling_failures")
    _log.error(
        "handling a message raised",
        exc_info=True,
        extra={"event_id": message.event_id, "attempt": message.record.attempts + 1, "dead": is_last},
    )


def trace(batch: Batch, began: datetime, ended: datetime) -> None:
    """Record the spans of a committed batch."""
    for message in batch.done:
        tracing.record("handle", message.event_id, began, ended, attempts=message.record.attempts + 1)
    for notification in batch.notifications:
        tracing.record(
            "decide",
            notification.data["event_id"],
            ended,
            ended,
            notification_id=notification.id,
            type=str(notification.type),
        )


def log_outcomes(batch: Batch) -> None:
    """Log the outcome of each message and notification of a committed batch."""
    if not _log.isEnabledFor(logging.INFO):
        return
    outcomes: dict[str, list[str]] = {message.event_id: [] for message in batch.done}
    for _, event, entry in batch.entries:
        outcomes.setdefault(event.event_id, []).append(str(entry.outcome))
    for event_id, event_outcomes in outcomes.items():
        _log.info("a message was handled", extra={"event_id": event_id, "outcomes": event_outcomes})
    for notification in batch.notifications:
        fields = {
            "event_id": notification.data["event_id"],
            "notification_id": notification.id,
            "connection_id": notification.data["connection_id"],
            "type": notification.type.value,
        }
        _log.info("a notification was decided", extra=fields)
