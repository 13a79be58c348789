"""The way back to the caller's own site: where it leads, and what it tells there.

An address that a browser brings proves nothing, so what stands in it is a hint, and the caller asks
``GET /v1/companies/{id}/journey`` for the truth. No address leads anywhere but to ``RETURN_URL`` or an origin
in ``RETURN_URL_ORIGINS``, which is looked up each time: an origin that is taken off the list ends at once.
"""

from collections.abc import Sequence
from typing import Any

from processor.errors import Invalid
from processor.journey.connections import with_query
from processor.journey.field_checks import ReturnTo, checked_return
from processor.journey.models import CompanyView, ConnectionView
from processor.journey.records import Records
from processor.journey.standing import (
    JourneyOutcome,
    Standing,
    connection_standing,
    is_other_account,
    outcome_of,
    standing_of,
)
from processor.settings import web_addresses
from processor.settings.definitions import Settings

_COPIED = (
    *("id", "connection_id", "platform_key", "platform_name", "source_type"),
    *("account_name", "previous_account_name", "state"),
)


class WayBack:
    """Keeps where callers want their users back, and makes the addresses of the buttons."""

    def __init__(self, *, records: Records, settings: Settings) -> None:
        self._records, self._settings = records, settings

    def checked(self, return_url: str | None, state: str | None) -> ReturnTo | None:
        """A valid way back for one link, ``None`` for no own one; raises :class:`Invalid`."""
        errors: dict[str, object] = {}
        return_to = checked_return(
            return_url, state, origins=self._settings.return_url_origins, errors=errors
        )
        if errors:
            raise Invalid(errors=errors)
        return return_to

    def keep(self, company_id: str, connection_id: str, return_to: ReturnTo | None) -> None:
        """Keep the way back of a link to a connection; ``None`` forgets that of an earlier link."""
        self._records.save_return(
            company_id, connection_id, None if return_to is None else (return_to.url, return_to.state)
        )

    def of_company(self, company: CompanyView, connection_id: str | None = None) -> ReturnTo:
        """The way back of the connection's newest link, else that of the sign-up, else RETURN_URL."""
        kept = None if connection_id is None else self._records.return_of(company.company_id, connection_id)
        if kept is None:
            return ReturnTo(self._first_allowed(company.return_url), company.state)
        return ReturnTo(self._first_allowed(kept[0], company.return_url), kept[1])

    def of_stranger(self, company_id: str | None, connection_id: str | None) -> ReturnTo:
        """The way back of a browser without a visit: that of the connection's link, else RETURN_URL."""
        kept = None
        if company_id is not None and connection_id is not None:
            kept = self._records.return_of(company_id, connection_id)
        url, state = kept or (None, None)
        return ReturnTo(self._first_allowed(url), state)

    def address(
        self,
        return_to: ReturnTo,
        outcome: JourneyOutcome,
        *,
        company_id: str | None = None,
        connection_id: str | None = None,
    ) -> str | None:
        """The address of the button; ``None`` when there is nowhere to go back to."""
        if return_to.url is None:
            return None
        return with_query(
            return_to.url,
            company_id=company_id,
            connection_id=connection_id,
            outcome=outcome.value,
            state=return_to.state,
        )

    def journey(self, company: CompanyView, views: Sequence[ConnectionView]) -> dict[str, Any]:
        """How a company's journey stands, and where its button leads now; ``views`` newest first."""
        company_id = company.company_id
        confirmed = self._records.confirmed_accounts(company_id)
        others = {view["id"] for view in views if is_other_account(view, confirmed)}
        outcomes = {view["id"]: outcome_of(view, is_other=view["id"] in others) for view in views}
        standing = standing_of(
            [connection_standing(view, outcomes[view["id"]]) for view in views],
            company.asked_for,
            company.skipped,
        )
        outcome, connection_id = standing.outcome, standing.connection_id
        return_to = self.of_company(company, connection_id)
        return {
            "id": company_id,
            "company_id": company_id,
            "outcome": outcome.value,
            "connection_id": connection_id,
            "state": return_to.state,
            "return_url": self.address(
                return_to, outcome, company_id=company_id, connection_id=connection_id
            ),
            **_asked_for(standing),
            "connections": [
                {
                    **{name: view[name] for name in _COPIED},
                    "account_confirmed": view["id"] not in others,
                    "outcome": outcomes[view["id"]].value,
                }
                for view in views
            ],
        }

    def _first_allowed(self, *urls: str | None) -> str | None:
        """The first address whose origin is on the list now, else RETURN_URL."""
        origins = self._settings.return_url_origins
        allowed = (url for url in urls if url and web_addresses.parse(url).origin in origins)
        return next(allowed, self._settings.return_url)


def _asked_for(standing: Standing) -> dict[str, Any]:
    """What is asked for, and what of it is still missing."""
    return {
        "asked_for": [
            {
                "source_type": step.source_type,
                "need": step.need.value,
                "outcome": step.outcome and step.outcome.value,
                "connection_id": step.connection_id,
                "is_met": step.is_met,
                "is_skipped": step.is_skipped,
            }
            for step in standing.steps
        ],
        "missing": [step.source_type for step in standing.missing],
        "steps_done": standing.done,
        "steps": standing.of,
    }
