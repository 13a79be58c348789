"""Handlers of reads: the first sync of an authorisation and the newest outcome per data type."""

from collections.abc import Sequence
from datetime import datetime

from handlers.authorization import fact_from_claim
from handlers.connection import Connection, link_status
from handlers.effects import Ask
from handlers.events import Aspect, HistorySeen, InitialReadClaimed, InitialReadCompleted, ReadCompleted
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
from handlers.reads import Dataset, DataTypeRead
from handlers.records import replace
from handlers.registry import Context, Doubt, HandlerResult, on, on_company
from handlers.state import State, is_running, situation


@on(ReadCompleted)
def read_completed(connection: Connection, event: ReadCompleted, context: Context) -> HandlerResult:
    """Data types were read, in the first sync or later: record their newest outcomes.

    A complete one also proves access. While the first sync of the authorisation is unknown, the company is
    compared with Codat: a client without a subscription to messages of first syncs gets no other hint.
    """
    result = _read_result(connection, event, event.reads_of(connection.id))
    history = connection.history
    if history.link is Link.DELETED or COMPLETE not in [outcome.status for outcome in result.data_types]:
        return result
    if history.link is Link.PENDING:
        return _access_claimed(event, context, result)
    if history.ended is not None:
        if event.at <= history.ended.at:
            return result
        doubt = result.doubt or "data was read although access had ended, as far as we know"
        return replace(result, doubt=doubt, questions=(Doubt(Aspect.CONNECTION, doubt),))
    is_first = not history.initial_reads and (history.begun_at is None or event.at >= history.begun_at)
    return replace(result, compare_company=True) if is_first else result


def _access_claimed(event: ReadCompleted, context: Context, result: HandlerResult) -> HandlerResult:
    """Data was read from a connection without a known access: ask Codat.

    Without an answer the authorisation begins at the read.
    """
    claim = Claim(event.event_id, event.at, context.now, ordinary=True)
    remark = "data was read, so access was given"
    if not context.policy.checks:
        return replace(result, facts=(fact_from_claim(claim),), remark=remark)
    return replace(
        result,
        claims=(claim,),
        questions=(*result.questions, Doubt(Aspect.CONNECTION, remark)),
        remark=f"{remark}: Codat is asked",
    )


@on(InitialReadCompleted)
def initial_read_completed(
    connection: Connection, event: InitialReadCompleted, context: Context
) -> HandlerResult:
    """The first sync after an authorisation is complete; each Codat product may send its own message."""
    reads = event.reads_of(connection.id)
    types = tuple(sorted({read.data_type: read.status for read in reads}.items()))
    fact = Fact(FactKind.READ, event.at, event.received_at, event.event_id, types=types)
    return _read_result(connection, event, reads, fact)


def _read_result(
    connection: Connection, event: ReadCompleted, reads: Sequence[DataTypeRead], fact: Fact | None = None
) -> HandlerResult:
    outcomes = [
        DataType(
            name=read.data_type,
            status=read.status,
            at=event.at,
            timed=event.timed,
            # The message says that reading has ended, so a status that is unknown here is a failure.
            progress=0 if read.status in RUNNING_STATUSES else 100,
            message=read.message,
        )
        for read in reads
    ]
    doubt = None
    refused = sorted([read.data_type for read in reads if read.status == AUTH_ERROR])
    if refused:
        doubt = _refusal(refused)
    elif fact is not None and fact in connection.with_facts([fact]).history.orphaned_reads:
        doubt = "a first sync was read although access had ended, as far as we know"
    return HandlerResult(
        facts=() if fact is None else (fact,),
        data_types=tuple(outcomes),
        doubt=doubt,
        questions=(Doubt(Aspect.CONNECTION, doubt),) if doubt else (),
    )


@on(InitialReadClaimed)
def initial_read_claimed(
    connection: Connection, event: InitialReadClaimed, context: Context
) -> HandlerResult:
    """A legacy alert says that the first sync is complete: request the read history.

    An alert about the whole company concerns only linked connections.
    """
    history = connection.history
    claim = Claim(event.event_id, event.received_at, context.now)
    if history.link is Link.DELETED:
        return HandlerResult(remark="the connection is deleted for good")
    is_linked = history.link is Link.LINKED
    if is_linked and history.initial_reads:
        return HandlerResult(remark="the first sync is known to be complete already")
    if event.connection_id is None and not is_linked:
        return HandlerResult(remark="the alert means the linked connections of the company")
    if context.policy.checks:
        return HandlerResult(
            claims=(claim,),
            questions=(Doubt(Aspect.HISTORY, "an alert says that the first sync is complete"),),
            remark="the alert says that the first sync is complete: Codat is asked for the history",
        )
    has_ended = history.link is Link.ENDED
    return HandlerResult(
        facts=(fact_from_claim(claim),),
        doubt="a first sync is claimed although access had ended" if has_ended else None,
        remark=f"taken at its word; the connection was {link_status(history)}",
    )


@on_company(InitialReadClaimed)
def ask_for_company_history(event: InitialReadClaimed, context: Context) -> tuple[Ask, ...]:
    """A legacy alert about a whole company: request its read history, whatever connections are known."""
    if event.company is None or event.connection_id is not None or not context.policy.can_ask:
        return ()
    deadline = context.now + context.policy.patience
    reason = "an alert says that the company was synchronised for the first time"
    return (Ask(Aspect.HISTORY, event.company.id, None, context.now, deadline, reason),)


@on(HistorySeen)
def history_seen(connection: Connection, event: HistorySeen, context: Context) -> HandlerResult:
    """Codat's read history: the progress per data type and, once no read is running, the first sync.

    It denies an alert of a complete first sync if it was requested more than ``API_LAG`` after the alert.
    """
    rows = _current_rows(connection, event)
    claims = tuple(claim for claim in connection.claims if claim.aspect is Aspect.HISTORY)
    denied = tuple(claim for claim in claims if event.received_at >= claim.arrived_at + API_LAG)
    if not rows:
        return HandlerResult(
            settled=denied,
            remark="Codat's history has nothing of this authorisation yet",
            nothing_queued=_nothing_queued(connection, event),
        )
    result = HandlerResult(data_types=tuple(_progress(row, event) for row in rows))
    running = sorted(row.data_type for row in rows if _is_running(row))
    if running:
        return replace(result, settled=denied, remark=f"Codat is still reading {', '.join(running)}")
    refused = sorted(row.data_type for row in rows if row.status == AUTH_ERROR)
    result = replace(result, settled=claims, questions=_refusal_questions(refused))
    if _is_first_sync_known(connection):
        return replace(result, remark="Codat's history agrees")
    return replace(
        result,
        facts=(_first_sync(connection, event, rows),),
        remark="Codat's history shows the first sync complete",
    )


def _requested_at(row: Dataset, event: HistorySeen) -> datetime:
    return row.requested or row.completed or event.at


def _current_rows(connection: Connection, event: HistorySeen) -> list[Dataset]:
    """The newest row of each data type that was requested in the current authorisation."""
    cutoff = read_cutoff(connection.history)
    newest: dict[str, Dataset] = {}
    for row in sorted(event.datasets_of(connection.id), key=lambda row: _requested_at(row, event)):
        if cutoff is None or _requested_at(row, event) > cutoff:
            newest[row.data_type] = row
    return list(newest.values())


def _is_first_sync_known(connection: Connection) -> bool:
    """Whether a message already gave an outcome of the first sync that is not still running."""
    outcome = situation(connection).outcome
    is_over = outcome is None or outcome.state is not State.SYNCING
    reads = connection.history.initial_reads
    return is_over and any(not read.claimed for read in reads)


def _first_sync(connection: Connection, event: HistorySeen, rows: Sequence[Dataset]) -> Fact:
    """The first sync that ``rows`` show: complete with the last row, never before access was given."""
    history = connection.history
    at = max(row.completed or row.requested or event.at for row in rows)
    if history.begun_at is not None:
        at = max(at, history.begun_at)
    return Fact(
        FactKind.READ,
        at,
        event.received_at,
        event.event_id,
        types=tuple(sorted((row.data_type, row.status) for row in rows)),
        requested=tuple(sorted((row.data_type, _requested_at(row, event)) for row in rows)),
    )


def _refusal(data_types: Sequence[str]) -> str:
    return f"the platform refused access while reading {', '.join(data_types)}"


def _refusal_questions(data_types: Sequence[str]) -> tuple[Doubt, ...]:
    return (Doubt(Aspect.CONNECTION, _refusal(data_types)),) if data_types else ()


def _nothing_queued(connection: Connection, event: HistorySeen) -> datetime | None:
    """When Codat first showed that no read is queued; ``None`` if one may follow, or if that is known."""
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
