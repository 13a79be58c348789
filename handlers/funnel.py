"""How far merchants come, from the opened link to the first sync, and where they stop. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from statistics import median

from handlers.connection import Connection
from handlers.events import LinkStatus
from handlers.facts import COMPLETE, FactKind
from handlers.past import summed_up_facts
from handlers.state import Situation, State, situation


class Step(StrEnum):
    """The steps, in order. The first counts companies, the others connections."""

    OPENED = "opened"
    CHOSEN = "chosen"
    AT_CODAT = "at_codat"
    AUTHORIZED = "authorized"
    READ = "read"
    READY = "ready"


LEFT_WITHOUT_CHOICE = "left without choosing"
_BEGINNINGS = (FactKind.LINKED, FactKind.RELINKED, FactKind.READ, FactKind.ORDINARY_READ, FactKind.ENDED)
_CANCELLED = "403"
"""Codat's status code of a merchant who gave up."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one company that chose nothing, or one connection, came.

    ``times`` are those of the steps that were reached. ``stop`` is where it stopped and ``reason`` why, as
    Codat says; each is empty where there is none.
    """

    day: date
    platform: str
    source_type: str
    times: Mapping[Step, datetime]
    stop: str
    reason: str = ""


@dataclass(slots=True)
class FunnelRow:
    """The counts of one cohort.

    ``median_s`` is the median time to each step in seconds: from the opened link to the choice, and from the
    choice to every later step. ``reasons`` are counts by stop and reason.
    """

    counts: dict[Step, int]
    median_s: dict[Step, float] = field(default_factory=dict)
    stops: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)


def progress_of(
    connection: Connection, chosen_at: datetime, sent_at: datetime | None = None, *, is_back: bool = False
) -> Progress:
    """How far ``connection`` came, which was first heard of at ``chosen_at``.

    Its user went to Codat at ``sent_at``, and came back from there. Whoever authorised it, or failed to, was
    at Codat too. Every authorisation counts: what was ready once was ready.
    """
    facts = [*summed_up_facts(connection), *connection.facts]
    begun = [fact.at for fact in facts if fact.kind in _BEGINNINGS or fact.status is LinkStatus.LINKED]
    failed = [fact.at for fact in facts if fact.kind is FactKind.FAILED]
    reads = [fact for fact in facts if fact.kind is FactKind.READ]
    complete = [fact.at for fact in reads if not fact.types or COMPLETE in dict(fact.types).values()]
    times = {Step.CHOSEN: chosen_at}
    for step, moments in (
        (Step.AT_CODAT, [*begun, *failed] if sent_at is None else [sent_at]),
        (Step.AUTHORIZED, begun),
        (Step.READ, [fact.at for fact in reads]),
        (Step.READY, complete),
    ):
        if moments:
            times[step] = min(moments)
    stop, reason = ("", "") if Step.READY in times else _stop(situation(connection), times, is_back=is_back)
    return Progress(
        day=chosen_at.date(),
        platform=connection.platform_name or connection.platform_key or "unknown",
        source_type=connection.source_type or "unknown",
        times=times,
        stop=stop,
        reason=reason,
    )


def opened(at: datetime, chosen_at: datetime | None) -> Progress:
    """A company whose link was opened at ``at``; ``chosen_at``: when it had its first connection."""
    times = {Step.OPENED: at} | ({} if chosen_at is None else {Step.CHOSEN: chosen_at})
    return Progress(at.date(), "", "", times, LEFT_WITHOUT_CHOICE if chosen_at is None else "")


def summary(connections: Iterable[Progress], companies: Iterable[Progress] = ()) -> FunnelRow:
    """Count connections, and companies whose link was opened."""
    members, opening = list(connections), list(companies)
    row = FunnelRow({Step.OPENED: len(opening)})
    _set_median(row, Step.CHOSEN, opening, since=Step.OPENED)
    row.counts[Step.CHOSEN] = len(members)
    for step in list(Step)[2:]:
        row.counts[step] = sum(step in member.times for member in members)
        _set_median(row, step, members, since=Step.CHOSEN)
    stopped = [member for member in (*opening, *members) if member.stop]
    row.stops = dict(sorted(Counter(member.stop for member in stopped).items()))
    reasons = Counter(f"{member.stop}: {member.reason}" for member in stopped if member.reason)
    row.reasons = dict(sorted(reasons.items()))
    return row


def _set_median(row: FunnelRow, step: Step, members: Iterable[Progress], *, since: Step) -> None:
    lasted = [
        max(0.0, (member.times[step] - member.times[since]).total_seconds())
        for member in members
        if step in member.times
    ]
    if lasted:
        row.median_s[step] = round(median(lasted), 3)


def _stop(now: Situation, times: Mapping[Step, datetime], *, is_back: bool) -> tuple[str, str]:
    """Where a connection that is not ready stopped, and Codat's code or statuses that say why."""
    if now.state is State.AUTHORIZATION_FAILED:
        problem = now.history.failed.problem if now.history.failed else None
        code = (problem and problem.status_code) or ""
        stop = "cancelled" if code == _CANCELLED else "error while authorising"
        return stop, code if code.isalnum() and code != _CANCELLED else ""
    if now.state is State.SYNC_FAILED:
        failed = now.outcome.failed if now.outcome else {}
        return "sync failed", ", ".join(sorted(set(failed.values())))
    if now.state is State.PENDING:
        if Step.AT_CODAT not in times:
            return "left before Codat", ""
        return ("left Codat without authorising" if is_back else "never came back"), ""
    if now.state in (State.AUTHORIZED, State.SYNCING):
        return ("nothing is read" if now.first_sync_missing else "first sync under way"), ""
    return f"{now.state} before the first sync", ""
