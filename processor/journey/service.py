"""The journey of a company, from sign-up to "connected", and afterwards: the use cases, without the web."""

from collections.abc import Mapping
from typing import Any

from processor.journey.answers import (
    CompanyView,
    ConnectionView,
    Done,
    Platform,
    Started,
    SyncView,
)
from processor.journey.tokens import Tokens


class Journey:
    """Built by the composition root as ``container.journey``. STUB: signatures only, being filled in.

    Where a call takes ``company_id`` besides ``connection_id``, a connection of another company is
    :class:`NotFound`: pages always pass the company of their token. Calls that need Codat raise
    :class:`CodatNotSet` (503) without CODAT_API_KEY, and ``CodatError``s otherwise.
    """

    tokens: Tokens

    def connect_url(self, company_id: str, *, root: str | None = None) -> str:
        """A fresh link to the journey of a company; ``root`` stands in for an unset PUBLIC_URL."""
        raise NotImplementedError

    def sign_up(
        self,
        *,
        merchant_id: str,
        name: str | None = None,
        contact_email: str | None = None,
        tags: Mapping[str, str] | None = None,
        root: str | None = None,
    ) -> tuple[CompanyView, bool]:
        """The company of a merchant, made at Codat if there is none; whether it was made now."""
        raise NotImplementedError

    def company(self, company_id: str, *, root: str | None = None) -> CompanyView:
        """One company; raises :class:`NotFound` for one that is unknown or deleted."""
        raise NotImplementedError

    def find(self, merchant_id: str, *, root: str | None = None) -> CompanyView | None:
        """The company of a merchant."""
        raise NotImplementedError

    def integrations(self, *, source_type: str | None = None, search: str | None = None) -> list[Platform]:
        """Enabled platforms, by source type and name, from the cache."""
        raise NotImplementedError

    def connect(
        self, company_id: str, platform_key: str, *, parameters: Mapping[str, str] | None = None
    ) -> Started:
        """A connection to a platform, to be authorised. :class:`Conflict` names the one in the way."""
        raise NotImplementedError

    def link(
        self,
        connection_id: str,
        *,
        company_id: str | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> Started:
        """A fresh one-time link, to resume or to reconnect."""
        raise NotImplementedError

    def connections(self, company_id: str) -> list[ConnectionView]:
        """The connections of a company without the deleted ones, newest first."""
        raise NotImplementedError

    def connection(self, connection_id: str, *, company_id: str | None = None) -> ConnectionView:
        """One connection (deleted ones too); raises :class:`NotFound`."""
        raise NotImplementedError

    def sync(self, company_id: str) -> SyncView:
        """How reading the data stands, per connection and per data type."""
        raise NotImplementedError

    def unlink(self, connection_id: str, *, company_id: str | None = None) -> Done:
        """End access at Codat, then here; :class:`Conflict` when it is not linked."""
        raise NotImplementedError

    def delete(self, connection_id: str, *, company_id: str | None = None) -> Done:
        """Delete at Codat, then here."""
        raise NotImplementedError

    def delete_company(self, company_id: str) -> Done:
        """Delete a company with all its connections at Codat, then here."""
        raise NotImplementedError

    def ask_again(self, company_id: str, connection_id: str | None = None) -> Any:
        """Have Codat asked in the background; without a connection about all that the company has."""
        raise NotImplementedError
