"""The funnel: how far merchants came in the last days, from what is stored. No personal data."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

from handlers.connection import Connection
from handlers.funnel import FunnelRow, Progress, Step, opened, progress_of, summary
from processor.clock import from_ms, to_iso
from processor.resources.trends import Trend, TrendSet
from processor.store.cursors import all_items
from processor.store.queries import Reader
from processor.store.records import StoredConnection, UnreadableConnection
from processor.store.visit_steps import VisitStep

PAGE_SIZE = 200
DAYS = 30
MAX_ON_PAGE = 20_000
"""Connections that a request looks at, newest first, and about as many links; the command looks at all."""

STEPS = tuple(step.value for step in Step)
TITLES: Mapping[Step, str] = {
    Step.OPENED: "Link opened",
    Step.CHOSEN: "Platform chosen",
    Step.AT_CODAT: "At Codat",
    Step.AUTHORIZED: "Authorised",
    Step.READ: "First sync",
    Step.READY: "Ready",
}

VisitTimes = Mapping[VisitStep, Mapping[str, datetime]]
"""When visitors took each step first, by company or connection."""


@dataclass(slots=True)
class _Cohorts:
    """Everybody in the funnel: connections, companies whose link was opened, and what cannot be read."""

    connections: list[Progress] = field(default_factory=list)
    companies: list[Progress] = field(default_factory=list)
    first_choice: dict[str, datetime] = field(default_factory=dict)
    unreadable: int = 0
    is_complete: bool = True


def visit_times(reader: Reader, since: datetime) -> VisitTimes:
    """All steps of visitors as they are stored."""
    return {step: reader.visit_steps(step, since)[0] for step in VisitStep}


def report(
    reader: Reader,
    now: datetime,
    *,
    days: int = DAYS,
    platform: str | None = None,
    source_type: str | None = None,
    max_connections: int | None = None,
    source: Callable[[StoredConnection], Connection] = lambda stored: stored.connection,
    visits: VisitTimes | None = None,
) -> dict[str, Any]:
    """The funnel of the links that were opened, and the connections first heard of, in the last ``days``.

    At most ``max_connections``, and about as many links, are looked at; ``complete`` says whether these were
    all. With a ``platform`` or ``source_type`` only such connections count, and no opened links. ``source``
    gives the connection to count for a stored one, and ``visits`` the steps of visitors, where they are not
    as stored.
    """
    since = now - timedelta(days=days)
    cohorts = _read_connections(reader, since, max_connections, source, visits)
    if platform is None and source_type is None:
        _read_links(reader, since, max_connections, visits, cohorts)
    connections = [
        progress
        for progress in cohorts.connections
        if platform in (None, progress.platform) and source_type in (None, progress.source_type)
    ]
    return {
        "since": to_iso(since),
        "complete": cohorts.is_complete,
        "unreadable": cohorts.unreadable,
        "total": _figures(summary(connections, cohorts.companies)),
        "days": _by_day(connections, cohorts.companies, since, now),
        "platforms": _grouped(connections, "platform"),
        "source_types": _grouped(connections, "source_type"),
        "rows": _grouped(connections, "day", "platform", "source_type"),
    }


def chart(counted: Mapping[str, Any]) -> TrendSet:
    """The steps and the conversion by day, as curves."""
    days = counted["days"]
    curves = [Trend(step, TITLES[step], "", [day[step] for day in days]) for step in Step]
    shares = [None if day["conversion"] is None else 100 * day["conversion"] for day in days]
    starts = [datetime.fromisoformat(day["day"]) for day in days]
    return TrendSet(starts, timedelta(days=1), [*curves, Trend("conversion", "Conversion", "%", shares)])


def _read_connections(
    reader: Reader,
    since: datetime,
    max_connections: int | None,
    source: Callable[[StoredConnection], Connection],
    visits: VisitTimes | None,
) -> _Cohorts:
    cohorts = _Cohorts()
    rows = _newest(reader, since, max_connections, cohorts)
    while page := list(islice(rows, PAGE_SIZE)):
        sent_at, back_at = (
            _steps_of(reader, step, page) if visits is None else visits[step]
            for step in (VisitStep.AT_CODAT, VisitStep.BACK)
        )
        for row in page:
            chosen_at, connection = from_ms(row.first_heard_ms), source(row)
            is_back = connection.id in back_at
            cohorts.connections.append(
                progress_of(connection, chosen_at, sent_at.get(connection.id), is_back=is_back)
            )
            if connection.company_id is not None:
                cohorts.first_choice[connection.company_id] = chosen_at  # the newest come first
    return cohorts


def _newest(
    reader: Reader, since: datetime, max_connections: int | None, cohorts: _Cohorts
) -> Iterator[StoredConnection]:
    """The connections first heard of from ``since`` on; what is left out is noted in ``cohorts``."""
    looked_at = 0
    for row in all_items(partial(reader.list_connections, limit=PAGE_SIZE)):
        if isinstance(row, UnreadableConnection):
            cohorts.unreadable += 1
            continue
        if from_ms(row.first_heard_ms) < since:
            return
        if looked_at == max_connections:
            cohorts.is_complete = False
            return
        looked_at += 1
        yield row


def _steps_of(reader: Reader, step: VisitStep, rows: Iterable[StoredConnection]) -> Mapping[str, datetime]:
    connections = [row.connection for row in rows]
    pairs = ((connection.id, connection.company_id) for connection in connections)
    return reader.visit_steps_of(
        step, {id_: company_id for id_, company_id in pairs if company_id is not None}
    )


def _read_links(
    reader: Reader, since: datetime, most: int | None, visits: VisitTimes | None, cohorts: _Cohorts
) -> None:
    """Add the companies whose link was opened."""
    links: Mapping[str, datetime]
    if visits is None:
        links, are_all = reader.visit_steps(VisitStep.OPENED, since, most)
        cohorts.is_complete &= are_all
    else:
        links = visits[VisitStep.OPENED]
    first_choice = cohorts.first_choice
    earlier = set(reader.companies_with_connections([id_ for id_ in links if id_ not in first_choice]))
    cohorts.companies = [
        opened(at, first_choice.get(id_, at if id_ in earlier else None)) for id_, at in links.items()
    ]


def _by_day(
    connections: Sequence[Progress], companies: Sequence[Progress], since: datetime, now: datetime
) -> list[dict[str, Any]]:
    """The figures of every day, oldest first, also of those of the last ``DAYS`` without anybody."""
    chosen: defaultdict[date, list[Progress]] = defaultdict(list)
    linked: defaultdict[date, list[Progress]] = defaultdict(list)
    for members, by_day in ((connections, chosen), (companies, linked)):
        for member in members:
            by_day[member.day].append(member)
    first = max(since.date(), min([*chosen, *linked, now.date() - timedelta(days=DAYS)]))
    days = [first + timedelta(days=number) for number in range((now.date() - first).days + 1)]
    return [{"day": day.isoformat(), **_figures(summary(chosen[day], linked[day]))} for day in days]


def _grouped(connections: Sequence[Progress], *fields: str) -> list[dict[str, Any]]:
    """The figures of connections with the same fields: newest day first, then by name."""
    cohorts: dict[tuple[Any, ...], list[Progress]] = {}
    for progress in connections:
        cohorts.setdefault(tuple(getattr(progress, name) for name in fields), []).append(progress)

    def order(cohort: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(-value.toordinal() if isinstance(value, date) else value for value in cohort)

    return [
        {name: str(value) for name, value in zip(fields, cohort, strict=True)}
        | _figures(summary(cohorts[cohort]))
        for cohort in sorted(cohorts, key=order)
    ]


def _figures(row: FunnelRow) -> dict[str, Any]:
    chosen = row.counts[Step.CHOSEN]
    return {
        **{step.value: row.counts[step] for step in Step},
        "conversion": round(row.counts[Step.READY] / chosen, 4) if chosen else None,
        "median_s": {step.value: seconds for step, seconds in row.median_s.items()},
        "stops": row.stops,
        "reasons": row.reasons,
    }
