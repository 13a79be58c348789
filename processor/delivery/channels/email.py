"""E-mail to the contact of a notification's company: on with SMTP_URL."""

from collections.abc import Mapping
from typing import Any

from handlers.milestones import NotificationType, ReminderType
from processor.delivery.channels.channel import BuiltInChannel, FailureCondition
from processor.delivery.lane import LaneState
from processor.settings.definitions import Settings
from processor.store.records import REMINDERS_OFF_AT

FAILING_AFTER = 3
"""Failures in a row without a permanent refusal after which the mail server counts as failing."""

PERMANENT = 500
"""Lowest SMTP status of a permanent refusal: one is enough."""


REMINDERS = frozenset(ReminderType) - {ReminderType.READ_DUE}
"""Reminders that are mailed; a read is started by us."""

MAILED = frozenset({*NotificationType, *REMINDERS})
"""The types that are mailed: what users say on the journey is for the caller, and not for themselves."""


def _wants(settings: Settings, body: Mapping[str, Any], company: Mapping[str, str]) -> bool:
    """Whether there is a contact, and something to do: an expected change needs no e-mail."""
    if body["type"] in REMINDERS and (settings.reminders != EMAIL.name or REMINDERS_OFF_AT in company):
        return False
    is_news = body["type"] in MAILED and not body["data"].get("expected")
    return is_news and bool(company.get("contact_email"))


def _is_failing(lane: LaneState) -> bool:
    """Whether the mail server refuses all e-mails, as opposed to one recipient."""
    status = (lane.last_attempt or {}).get("status_code") or 0
    return lane.failures >= (1 if status >= PERMANENT else FAILING_AFTER)


EMAIL = BuiltInChannel(
    name="email",
    is_enabled=lambda settings: settings.smtp_url is not None,
    wants=_wants,
    redelivers_unsent=True,
    failure=FailureCondition(
        code="mail_refused",
        sentence="The mail server takes no e-mails",
        is_failing=_is_failing,
        has_subject=False,
    ),
)
