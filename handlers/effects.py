"""Effects: what a decision wants done. The caller carries them out in the commit of the decision."""

from datetime import datetime
from enum import StrEnum

from handlers.events import Aspect
from handlers.milestones import Notification
from handlers.records import dataclass


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask Codat about a connection, or about a whole company if ``connection_id`` is ``None``.

    Ask at ``not_before`` or later. At ``deadline`` report ``QuestionUnanswered``. Both are by our clock.
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
    """Pause background polling of Codat until this time (``None``: until the next midnight UTC)."""

    until: datetime | None


@dataclass(frozen=True, slots=True)
class ResumePolling:
    """Resume background polling of Codat."""


@dataclass(frozen=True, slots=True)
class CompareCompany:
    """Compare the company with Codat now instead of at its next scheduled poll."""

    company_id: str


Effect = Ask | Notify | CompareCompany | PausePolling | ResumePolling


class DecisionOutcome(StrEnum):
    """What was decided about a milestone."""

    TOLD = "told"
    CHECKING = "checking"
    OVERTAKEN = "overtaken"
    KNOWN = "known"
    NOT_TOLD = "not_told"


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision about a milestone, for the timeline."""

    kind: str
    outcome: DecisionOutcome
    reason: str
    notification_id: str
