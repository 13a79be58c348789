"""The results that ``codat-processor check`` prints: one line each."""

from dataclasses import dataclass
from enum import StrEnum


class CheckStatus(StrEnum):
    """The outcome of a check; ``unknown``: the server does not show what was checked."""

    OK = "ok"
    UNKNOWN = "unknown"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of the report."""

    status: CheckStatus
    subject: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.status:<8} {self.subject:<9} {self.sentence}"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is checked; makes the results about it."""

    name: str

    def ok(self, sentence: str) -> CheckResult:
        return CheckResult(CheckStatus.OK, self.name, sentence)

    def unknown(self, sentence: str) -> CheckResult:
        return CheckResult(CheckStatus.UNKNOWN, self.name, sentence)

    def warning(self, sentence: str) -> CheckResult:
        return CheckResult(CheckStatus.WARNING, self.name, sentence)

    def error(self, sentence: str) -> CheckResult:
        return CheckResult(CheckStatus.ERROR, self.name, sentence)


SETTINGS, REDIS, CODAT, CLOCK, MAIL, SERVICE = map(
    Subject, ("settings", "redis", "codat", "clock", "mail", "service")
)
