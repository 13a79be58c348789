"""Events for what a comparison saw at Codat: those of ``processor.codat.observations`` with a trigger."""

from dataclasses import replace
from datetime import datetime

from handlers.events import (
    Company,
    CompanyCreated,
    CompanyDeleted,
    ConnectionFailed,
    ConnectionSeen,
    LinkStatus,
    Source,
    Trigger,
)
from processor.codat import observation_types, observations
from processor.codat.errors import CodatNotFound
from processor.codat.models import ConnectionResponse
from processor.codat.observations import new_id


def connection(
    response: ConnectionResponse, *, received_at: datetime, company: Company, trigger: Trigger
) -> ConnectionSeen:
    """Codat lists the connection."""
    event = observations.connection_seen(
        response, event_id=new_id(), received_at=received_at, company=company
    )
    return replace(event, trigger=trigger)


def failed_attempt(
    response: ConnectionResponse, *, received_at: datetime, company: Company, trigger: Trigger
) -> ConnectionFailed | None:
    """The failed authorisation that the active error of a pending connection shows, else ``None``.

    Errors of a connection that was authorised before may have other causes.
    """
    if response.status is not LinkStatus.PENDING or response.problem_at is None:
        return None
    return ConnectionFailed(
        event_id=new_id(),
        event_type=observation_types.CONNECTION_FAILED,
        source=Source.CODAT_API,
        received_at=received_at,
        at=response.problem_at,
        company=company,
        trigger=trigger,
        connection=response.details,
        problem=response.problem,
    )


def company(company: Company, *, at: datetime, trigger: Trigger) -> CompanyCreated:
    """Codat has the company, with this name and these tags."""
    return CompanyCreated(
        event_id=new_id(),
        event_type=observation_types.COMPANY_SEEN,
        source=Source.CODAT_API,
        received_at=at,
        at=at,
        timed=False,
        company=company,
        trigger=trigger,
    )


def company_gone(
    company: Company, error: CodatNotFound, *, received_at: datetime, trigger: Trigger
) -> CompanyDeleted:
    """Codat no longer shows the company, which it showed to our key before."""
    return CompanyDeleted(
        event_id=new_id(),
        event_type=observation_types.COMPANY_GONE,
        source=Source.CODAT_API,
        received_at=received_at,
        at=error.asked_at,
        timed=error.timed,
        company=company,
        trigger=trigger,
    )
