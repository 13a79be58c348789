"""Reading: the first sync of an authorisation, and the newest outcome per data type."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from handlers.authorization import fact_from_claim
from handlers.connection import Connection, is_linked, link_status
from handlers.effects import Ask
from handlers.events import (
    Aspect,
    Dataset,
    DataTypeRead,
    HistorySeen,
    InitialReadClaimed,
    InitialReadCompleted,
    ReadCompleted,
)
from handlers.facts import (
    API_LAG,
    AUTH_ERROR,
    COMPLETE,
    QUEUED_WITHIN,
    RUNNING_STATUSES,
    Claim,
    DataType,
    Fact,
    FactKind,
)
from handlers.fold import Link, read_cutoff
from handlers.registry import Context, Doubt, HandlerResult, on, on_company
from handlers.state import State, is_running, situation


@on(ReadCompleted)
def read(connection: Connection, event: ReadCompleted, context: Context) -> HandlerResult:
    """Data types were read after the first sync or within it: their newest outcomes count.

    Beside that, something complete proves access. While the first sync of an authorisation is not known,
    Codat is looked at: where messages of first reads are not subscribed, no other message tells of it.
    """
    found = _read_result(connection, event)
    history = connection.history
    if history.link is Link.DELETED or all(one.status != COMPLETE for one in _mine(connection, event)):
        return found
    if history.link is Link.PENDING:
        return _access_claimed(event, context, found)
    if history.ended is not None:
        doubt = found.doubt or "data was read although access had ended, as far as we know"
        late = event.at <= history.ended.at
        return found if late else replace(found, doubt=doubt, questions=(Doubt(Aspect.CONNECTION, doubt),))
    first = not history.initial_reads and (history.begun_at is None or event.at >= history.begun_at)
    return replace(found, look=first)


def _access_claimed(event: ReadCompleted, context: Context, found: HandlerResult) -> HandlerResult:
    """Something was read of a connection that is not linked, for all we know.

    Codat is asked; where it cannot be, or does not answer, the authorisation begins at the read.
    """
    claim = Claim(event.event_id, event.at, context.now, ordinary=True)
    remark = "data was read, so access was given"
    if not context.policy.checks:
        return replace(found, facts=(fact_from_claim(claim),), remark=remark)
    trigger = Doubt(Aspect.CONNECTION, remark)
    return replace(
        found, claims=(claim,), questions=(*found.questions, trigger), remark=f"{remark}: Codat is asked"
    )


def _mine(connection: Connection, event: ReadCompleted) -> Sequence[DataTypeRead]:
    return [read for read in event.reads if read.connection_id == connection.id]


def _types(connection: Connection, event: ReadCompleted) -> tuple[tuple[str, str], ...]:
    return tuple(sorted({read.data_type: read.status for read in _mine(connection, event)}.items()))


@on(InitialReadCompleted)
def read_initially(connection: Connection, event: InitialReadCompleted, context: Context) -> HandlerResult:
    """The first read after an authorisation is complete; there may be one per Codat product."""
    types = _types(connection, event)
    return _read_result(
        connection, event, Fact(FactKind.READ, event.at, event.received_at, event.event_id, types=types)
    )


def _read_result(connection: Connection, event: ReadCompleted, fact: Fact | None = None) -> HandlerResult:
    mine = _mine(connection, event)
    outcomes = tuple(
        DataType(
            name=read.data_type,
            status=read.status,
            at=event.at,
            timed=event.timed,
            # The message says that reading has ended: a status that we do not know is a bad end.
            progress=0 if read.status in RUNNING_STATUSES else 100,
            message=read.message,
        )
        for read in mine
    )
    doubt = None
    questions: tuple[Doubt, ...] = ()
    refused = sorted(read.data_type for read in mine if read.status == AUTH_ERROR)
    if refused:
        doubt = f"the platform refused access while reading {', '.join(refused)}"
    elif fact is not None and fact in connection.with_facts([fact]).history.orphaned_reads:
        doubt = "a first sync was read although access had ended, as far as we know"
    if doubt:
        questions = (Doubt(Aspect.CONNECTION, doubt),)
    return HandlerResult(
        facts=() if fact is None else (fact,), data_types=outcomes, doubt=doubt, questions=questions
    )


@on(InitialReadClaimed)
def initial_read_claimed(
    connection: Connection, event: InitialReadClaimed, context: Context
) -> HandlerResult:
    """A legacy alert says that the first sync is complete: ask for the history.

    An alert about the whole company says nothing of connections that are not linked.
    """
    history = connection.history
    claim = Claim(event.event_id, event.received_at, context.now)
    if history.link is Link.DELETED:
        return HandlerResult(remark="the connection is deleted for good")
    if is_linked(history) and history.initial_reads:
        return HandlerResult(remark="the first sync is known to be complete already")
    if event.connection_id is None and not is_linked(history):
        return HandlerResult(remark="the alert means the linked connections of the company")
    if context.policy.checks:
        return HandlerResult(
            claims=(claim,),
            questions=(Doubt(Aspect.HISTORY, "an alert says that the first sync is complete"),),
            remark="the alert says that the first sync is complete: Codat is asked for the history",
        )
    ended = link_status(history)
    orphaned_reads = (
        "a first sync is claimed although access had ended" if history.link is Link.ENDED else None
    )
    return HandlerResult(
        facts=(fact_from_claim(claim),),
        doubt=orphaned_reads,
        remark=f"taken at its word; the connection was {ended}",
    )


@on_company(InitialReadClaimed)
def ask_for_company(event: InitialReadClaimed, context: Context) -> tuple[Ask, ...]:
    """An alert about a whole company asks for its history, whichever connections we know."""
    if event.company is None or event.connection_id is not None or not context.policy.can_ask:
        return ()
    deadline = context.now + context.policy.patience
    reason = "an alert says that the company was synchronised for the first time"
    return (Ask(Aspect.HISTORY, event.company.id, None, context.now, deadline, reason),)


@on(HistorySeen)
def history_seen(connection: Connection, event: HistorySeen, context: Context) -> HandlerResult:
    """Codat's read history: progress per data type, and the first sync once nothing runs any more.

    Only datasets that were requested after the access before ended belong to the
    current authorisation. An alert of a complete first sync is denied by what it shows when
    it was asked so long after the alert that Codat cannot be behind its own alert.
    """
    history = connection.history
    floor = read_cutoff(history)

    def requested(row: Dataset) -> datetime:
        return row.requested or row.completed or event.at

    rows = [
        row
        for row in event.datasets
        if row.connection_id == connection.id and (floor is None or requested(row) > floor)
    ]
    newest: dict[str, Dataset] = {}
    for row in sorted(rows, key=requested):
        newest[row.data_type] = row
    outcomes = tuple(_progress(row, event) for row in newest.values())
    running = sorted(row.data_type for row in newest.values() if _is_running(row))
    claims = tuple(claim for claim in connection.claims if claim.aspect is Aspect.HISTORY)
    denied = tuple(claim for claim in claims if event.received_at >= claim.arrived_at + API_LAG)
    if not newest:
        nothing = "Codat's history has nothing of this authorisation yet"
        return HandlerResult(
            settled=denied, remark=nothing, nothing_queued=_nothing_queued(connection, event)
        )
    if running:
        remark = f"Codat is still reading {', '.join(running)}"
        return HandlerResult(data_types=outcomes, settled=denied, remark=remark)
    refused = sorted(row.data_type for row in newest.values() if row.status == AUTH_ERROR)
    doubt = f"the platform refused access while reading {', '.join(refused)}"
    questions = (Doubt(Aspect.CONNECTION, doubt),) if refused else ()
    outcome = situation(connection).outcome
    is_over = outcome is None or outcome.state is not State.SYNCING
    if is_over and any(kept.kind is FactKind.READ and not kept.claimed for kept in history.initial_reads):
        agrees = "Codat's history agrees"
        return HandlerResult(data_types=outcomes, settled=claims, questions=questions, remark=agrees)
    at = max(row.completed or row.requested or event.at for row in newest.values())
    if history.begun_at is not None and history.link is Link.LINKED:
        at = max(at, history.begun_at)
    fact = Fact(
        FactKind.READ,
        at,
        event.received_at,
        event.event_id,
        types=tuple(sorted((row.data_type, row.status) for row in newest.values())),
        requested=tuple(sorted((row.data_type, requested(row)) for row in newest.values())),
    )
    return HandlerResult(
        facts=(fact,),
        data_types=outcomes,
        settled=claims,
        questions=questions,
        remark="Codat's history shows the first sync complete",
    )


def _nothing_queued(connection: Connection, event: HistorySeen) -> datetime | None:
    """When Codat showed first that it reads nothing; ``None`` where it may still, or that is known."""
    now = situation(connection)
    if now.state is not State.AUTHORIZED or now.first_sync_missing or now.authorized_at is None:
        return None
    return event.at if event.at >= now.authorized_at + QUEUED_WITHIN else None


def _progress(row: Dataset, event: HistorySeen) -> DataType:
    running = _is_running(row)
    return DataType(
        name=row.data_type,
        status=row.status,
        at=event.at if running else (row.completed or row.requested or event.at),
        progress=max(0, min(99, row.progress)) if running else 100,
        message=row.message,
    )


def _is_running(row: Dataset) -> bool:
    return is_running(row.status, 100 if row.ended else 0)
