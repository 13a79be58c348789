"""Events for what a comparison saw at Codat, beside those of ``processor.codat.observations``."""

from datetime import datetime

from handlers.events import Company, CompanyCreated, CompanyDeleted, ConnectionFailed, LinkStatus, Trigger
from processor.codat.errors import CodatNotFound
from processor.codat.models import ConnectionResponse
from processor.codat.observation_types import COMPANY_GONE, COMPANY_SEEN, CONNECTION_FAILED
from processor.codat.observations import envelope


def failed_attempt(
    response: ConnectionResponse, *, received_at: datetime, company: Company, trigger: Trigger
) -> ConnectionFailed | None:
    """The failed authorisation that the active error of a pending connection shows, else ``None``.

    Errors of a connection that was authorised before may have other causes.
    """
    if response.status is not LinkStatus.PENDING or response.problem_at is None:
        return None
    fields = envelope(
        CONNECTION_FAILED, received_at=received_at, company=company, at=response.problem_at, trigger=trigger
    )
    return ConnectionFailed(**fields, connection=response.details, problem=response.problem)


def company(company: Company, *, at: datetime, trigger: Trigger) -> CompanyCreated:
    """Codat has the company, with this name and these tags."""
    return CompanyCreated(**envelope(COMPANY_SEEN, received_at=at, company=company, trigger=trigger))


def company_gone(
    company: Company, error: CodatNotFound, *, received_at: datetime, trigger: Trigger
) -> CompanyDeleted:
    """Codat no longer shows the company, which it showed to our key before."""
    fields = envelope(
        COMPANY_GONE,
        received_at=received_at,
        company=company,
        at=error.asked_at,
        timed=error.timed,
        trigger=trigger,
    )
    return CompanyDeleted(**fields)
