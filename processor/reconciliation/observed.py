"""What a look saw, as events; beside those of ``processor.codat.observations`` they say why we looked."""

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
)
from handlers.trigger import Trigger
from processor.codat import observations
from processor.codat.models import ConnectionResponse


def connection(
    answer: ConnectionResponse, *, event_id: str, received_at: datetime, company: Company, asked: Trigger
) -> ConnectionSeen:
    """Codat lists the connection."""
    event = observations.connection_seen(answer, event_id=event_id, received_at=received_at, company=company)
    return replace(event, asked=asked)


def failed_attempt(
    answer: ConnectionResponse, *, event_id: str, received_at: datetime, company: Company, asked: Trigger
) -> ConnectionFailed | None:
    """An attempt to authorise failed, as the active error of a pending connection shows; else ``None``.

    A connection that was authorised once has errors of other origins as well.
    """
    if answer.status is not LinkStatus.PENDING or answer.problem_at is None:
        return None
    return ConnectionFailed(
        event_id=event_id,
        event_type=observations.CONNECTION_FAILED,
        source=Source.CODAT_API,
        received_at=received_at,
        at=answer.problem_at,
        company=company,
        asked=asked,
        connection=answer.details,
        problem=answer.problem,
    )


def company(found: Company, *, event_id: str, at: datetime, asked: Trigger) -> CompanyCreated:
    """Codat has the company, with this name and these tags."""
    return CompanyCreated(
        event_id=event_id,
        event_type=observations.COMPANY_SEEN,
        source=Source.CODAT_API,
        received_at=at,
        at=at,
        timed=False,
        company=found,
        asked=asked,
    )


def company_gone(
    lost: Company, *, event_id: str, received_at: datetime, asked_at: datetime, timed: bool, asked: Trigger
) -> CompanyDeleted:
    """Codat does not have the company any more, which it showed to our key before."""
    return CompanyDeleted(
        event_id=event_id,
        event_type=observations.COMPANY_GONE,
        source=Source.CODAT_API,
        received_at=received_at,
        at=asked_at,
        timed=timed,
        company=lost,
        asked=asked,
    )
