"""What is to be done, said by decisions and carried out by whoever commits them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from handlers.events import Aspect
from handlers.milestones import Notification


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask Codat about a connection, or about a whole company where ``connection_id`` is ``None``.

    ``not_before`` is the earliest moment, ``deadline`` when to give up and say that
    it stayed unanswered; both by our clock.
    """

    aspect: Aspect
    company_id: str
    connection_id: str | None
    not_before: datetime
    deadline: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Notify:
    """Write the notification to the outbox."""

    notification: Notification


@dataclass(frozen=True, slots=True)
class PausePolling:
    """Stop asking Codat in the background until then (``None``: until the next midnight UTC)."""

    until: datetime | None


@dataclass(frozen=True, slots=True)
class ResumePolling:
    """Ask Codat in the background again."""


@dataclass(frozen=True, slots=True)
class CompareCompany:
    """Compare the company with what Codat shows of it, now instead of at its next turn."""

    company_id: str


Effect = Ask | Notify | CompareCompany | PausePolling | ResumePolling


class DecisionOutcome(StrEnum):
    """What was decided about a notification."""

    TOLD = "told"
    CHECKING = "checking"
    OVERTAKEN = "overtaken"
    KNOWN = "known"
    NOT_TOLD = "not_told"


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision to tell, to check or not to tell, for the timeline."""

    kind: str
    outcome: DecisionOutcome
    reason: str
    notification_id: str
