"""Handlers of existence: companies and connections that were created or deleted."""

from datetime import timedelta

from handlers.connection import Connection
from handlers.events import (
    Aspect,
    CompanyCreated,
    CompanyDeleted,
    ConnectionDeleted,
    ConnectionGone,
    DeletionClaimed,
    Event,
    Source,
    UnidentifiedConnectionChanged,
)
from handlers.facts import API_LAG, Fact, FactKind
from handlers.registry import NOTHING, Context, Doubt, HandlerResult, on


@on(CompanyCreated)
def company_created(connection: Connection, event: CompanyCreated, context: Context) -> HandlerResult:
    """A company was created: nothing follows for a connection."""
    return NOTHING


@on(ConnectionDeleted, CompanyDeleted, ConnectionGone)
def connection_deleted(
    connection: Connection, event: ConnectionDeleted | CompanyDeleted | ConnectionGone, context: Context
) -> HandlerResult:
    """The connection was deleted, alone or with its company, or Codat's API does not show it.

    A connection that Codat reported less than ``API_LAG`` ago may be too new for Codat's API.
    """
    if event.source is Source.CODAT_API and remaining_visibility_lag(connection, event):
        doubt = "Codat does not show the connection, of which it told less than a minute before"
        return HandlerResult(questions=(Doubt(Aspect.CONNECTION, doubt),), doubt=doubt)
    return HandlerResult(
        facts=(Fact(FactKind.DELETED, event.at, event.received_at, event.event_id),),
        settled=connection.claims if isinstance(event, ConnectionGone) else (),
    )


@on(UnidentifiedConnectionChanged)
def unidentified_connection_changed(
    connection: Connection, event: UnidentifiedConnectionChanged, context: Context
) -> HandlerResult:
    """A connection of the company changed and the message does not say which: ask about each."""
    if connection.history.deleted:
        return HandlerResult(remark="the connection is deleted for good")
    doubt = "a message tells of a connection of the company and does not say of which"
    return HandlerResult(questions=(Doubt(Aspect.CONNECTION, doubt),), doubt=doubt)


def remaining_visibility_lag(connection: Connection, event: Event) -> timedelta:
    """How long Codat's API may still miss the connection after the last report of it; zero: no longer.

    Every message is a report, but only the first observation: a later one may be outdated itself.
    """
    facts = [fact for fact in connection.facts if not fact.claimed]
    if not facts or connection.history.deleted:
        return timedelta()
    newest = max([facts[0].at, *(fact.at for fact in facts if fact.kind is not FactKind.SEEN)])
    return max(newest + API_LAG - event.at, timedelta())


@on(DeletionClaimed)
def deletion_claimed(connection: Connection, event: DeletionClaimed, context: Context) -> HandlerResult:
    """A legacy alert says that a connection of the company was deleted: ask about it, or about each."""
    if connection.history.deleted:
        return HandlerResult(remark="the connection is known to be deleted")
    doubt = "an alert says that a connection of the company was deleted"
    return HandlerResult(questions=(Doubt(Aspect.CONNECTION, doubt),), doubt=doubt)
