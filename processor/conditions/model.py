"""A condition, and the definition of each kind."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Severity(StrEnum):
    """The severity of a condition.

    ``critical``: messages cannot be stored. ``error``: a part of the service does not work. ``warning``: an
    operator should act. ``info``: no alert.
    """

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def alerts(self) -> bool:
        """Whether start and end cause alerts."""
        return self is not Severity.INFO


@dataclass(frozen=True, slots=True)
class Definition:
    """A kind of condition.

    ``title`` is its name in alerts and documentation, ``advice`` tells an operator what to do. The alert is
    sent when the condition has lasted for ``alert_after_s`` seconds.
    """

    code: str
    severity: Severity
    title: str
    advice: str
    alert_after_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition(Definition):
    """A condition that holds now.

    ``subject`` (the id of a subscriber, the name of a machine) distinguishes conditions of one code, or is
    empty. ``since`` is ``None`` where the start is unknown. ``muted_until``: its beginning alerts nobody.
    """

    sentence: str
    since: datetime | None = None
    subject: str = ""
    muted_until: datetime | None = None

    @property
    def key(self) -> str:
        """Unique among the conditions that can hold at the same time."""
        return f"{self.code} {self.subject}".strip()
