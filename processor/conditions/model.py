"""What a condition is, and what is known of each kind of condition."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Severity(StrEnum):
    """How bad a condition is.

    ``critical``: messages cannot be kept. ``error``: a part of the service does not work. ``warning``: an
    operator has to look. ``info``: good to know; nobody is alerted.
    """

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def alerts(self) -> bool:
        """Whether operators are alerted of its beginning and its end."""
        return self is not Severity.INFO


@dataclass(frozen=True, slots=True)
class Definition:
    """A kind of condition.

    ``title`` is its name in alerts and in the documentation, ``advice`` what an operator does about it.
    Alerts wait until it has lasted for ``alert_after_s`` seconds.
    """

    code: str
    severity: Severity
    title: str
    advice: str
    alert_after_s: int = 0


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that holds now.

    ``subject`` is what it is about where there can be several at a time (the id of a subscriber, the name
    of a machine), else empty. ``since`` is ``None`` where nobody knows.
    """

    code: str
    severity: Severity
    title: str
    sentence: str
    advice: str
    since: datetime | None = None
    subject: str = ""
    alert_after_s: int = 0

    @property
    def key(self) -> str:
        """What tells this condition from every other that may hold at the same time."""
        return f"{self.code} {self.subject}".strip()
