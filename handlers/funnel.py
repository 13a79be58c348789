"""How far connections come, from the choice of a platform to the first sync, and where they stop. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from statistics import median

from handlers.connection import Connection
from handlers.events import LinkStatus
from handlers.facts import COMPLETE, Fact, FactKind
from handlers.state import State, situation


class Step(StrEnum):
    """The steps, in order."""

    CHOSEN = "chosen"
    AUTHORIZED = "authorized"
    READ = "read"
    READY = "ready"


_BEGINNINGS = (FactKind.LINKED, FactKind.RELINKED, FactKind.READ, FactKind.ORDINARY_READ, FactKind.ENDED)
_CANCELLED = "403"
"""Codat's status code of a merchant who gave up."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one connection came. ``times`` are those of the steps that were reached, by Codat's clock.

    ``stop`` is where it stopped, empty if it is ready.
    """

    day: date
    platform: str
    source_type: str
    times: dict[Step, datetime]
    stop: str


@dataclass(slots=True)
class FunnelRow:
    """The connections of one cohort day (UTC), platform and source type.

    ``median_s`` is the median time from the choice to each step in seconds, over those that reached it.
    """

    day: date
    platform: str
    source_type: str
    counts: dict[Step, int] = field(default_factory=dict)
    median_s: dict[Step, float] = field(default_factory=dict)
    stops: dict[str, int] = field(default_factory=dict)


def progress_of(connection: Connection, chosen_at: datetime) -> Progress:
    """How far ``connection`` came, which was first heard of at ``chosen_at``.

    Every authorisation counts: what was ready once was ready.
    """
    facts = [*_summed_up(connection), *connection.facts]
    begun = [fact.at for fact in facts if fact.kind in _BEGINNINGS or fact.status is LinkStatus.LINKED]
    reads = [fact for fact in facts if fact.kind is FactKind.READ]
    complete = [fact.at for fact in reads if not fact.types or COMPLETE in dict(fact.types).values()]
    times = {Step.CHOSEN: chosen_at}
    for step, moments in (
        (Step.AUTHORIZED, begun),
        (Step.READ, [fact.at for fact in reads]),
        (Step.READY, complete),
    ):
        if moments:
            times[step] = min(moments)
    return Progress(
        day=chosen_at.date(),
        platform=connection.platform_name or connection.platform_key or "unknown",
        source_type=connection.source_type or "unknown",
        times=times,
        stop=_stop(connection, times),
    )


def funnel(connections: Iterable[Progress]) -> list[FunnelRow]:
    """Count the connections by day, platform and source type, newest day first."""
    cohorts: dict[tuple[date, str, str], list[Progress]] = {}
    for progress in connections:
        key = (progress.day, progress.platform, progress.source_type)
        cohorts.setdefault(key, []).append(progress)
    rows = []
    for key in sorted(cohorts, key=lambda key: (-key[0].toordinal(), *key[1:])):
        members = cohorts[key]
        row = FunnelRow(*key)
        for step in Step:
            lasted = [
                max(0.0, (member.times[step] - member.times[Step.CHOSEN]).total_seconds())
                for member in members
                if step in member.times
            ]
            row.counts[step] = len(lasted)
            if lasted and step is not Step.CHOSEN:
                row.median_s[step] = round(median(lasted), 3)
        row.stops = dict(sorted(Counter(member.stop for member in members if member.stop).items()))
        rows.append(row)
    return rows


def _summed_up(connection: Connection) -> list[Fact]:
    base = connection.base
    return [*(fact for fact in (base.begun, base.ended) if fact), *base.initial_reads]


def _stop(connection: Connection, times: dict[Step, datetime]) -> str:
    if Step.READY in times:
        return ""
    now = situation(connection)
    if now.state is State.AUTHORIZATION_FAILED:
        problem = now.history.failed.problem if now.history.failed else None
        is_cancelled = problem is not None and problem.status_code == _CANCELLED
        return "cancelled" if is_cancelled else "error while authorising"
    if now.state is State.SYNC_FAILED:
        return "sync failed"
    if now.state is State.PENDING:
        return "not authorised yet"
    if Step.AUTHORIZED in times and now.state in (State.AUTHORIZED, State.SYNCING):
        return "nothing is read" if now.first_sync_missing else "first sync under way"
    return f"{now.state} before the first sync"
