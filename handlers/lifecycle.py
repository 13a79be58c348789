"""Existence: companies and connections that came into being or are gone for good."""

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
    """A company came into being: nothing follows for a connection."""
    return NOTHING


@on(ConnectionDeleted, CompanyDeleted, ConnectionGone)
def deleted(
    connection: Connection, event: ConnectionDeleted | CompanyDeleted | ConnectionGone, context: Context
) -> HandlerResult:
    """The connection is gone for good, by itself, with its company, or as Codat's API shows.

    What Codat's API does not show, but showed or told of within the minute before, may be too new for it.
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
    """Something happened to a connection of the company, which one is not said: ask about each."""
    if connection.history.deleted:
        return HandlerResult(remark="the connection is deleted for good")
    doubt = "a message tells of a connection of the company and does not say of which"
    return HandlerResult(questions=(Doubt(Aspect.CONNECTION, doubt),), doubt=doubt)


def remaining_visibility_lag(connection: Connection, event: Event) -> timedelta:
    """How long Codat's API may still not show the connection, of which Codat told; zero: it shows it.

    Every message counts, and of the looks the first: a later one, which may be outdated itself, says no
    more than that the connection was there.
    """
    known = [fact for fact in connection.facts if not fact.claimed]
    if not known or connection.history.deleted:
        return timedelta()
    newest = max([known[0].at, *(fact.at for fact in known if fact.kind is not FactKind.SEEN)])
    return max(newest + API_LAG - event.at, timedelta())


@on(DeletionClaimed)
def deletion_claimed(connection: Connection, event: DeletionClaimed, context: Context) -> HandlerResult:
    """A legacy alert says that a connection of the company was deleted: ask about that one, or about each."""
    if connection.history.deleted:
        return HandlerResult(remark="the connection is known to be deleted")
    doubt = "an alert says that a connection of the company was deleted"
    return HandlerResult(questions=(Doubt(Aspect.CONNECTION, doubt),), doubt=doubt)
