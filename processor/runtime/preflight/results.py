"""What ``codat-processor check`` reports: one finding a line."""

from dataclasses import dataclass
from enum import StrEnum


class CheckStatus(StrEnum):
    """How a subject was found; ``unknown``: the server does not show it."""

    OK = "ok"
    UNKNOWN = "unknown"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of the report."""

    verdict: CheckStatus
    subject: str
    sentence: str

    def __str__(self) -> str:
        """The line as it is printed."""
        return f"{self.verdict:<8} {self.subject:<9} {self.sentence}"
