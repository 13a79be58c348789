"""The stored companies and connections that the use cases of the journey work on."""

from handlers.state import State
from processor.errors import Conflict, NotFound
from processor.journey.companies import CompanyService
from processor.journey.events import CompanyFields
from processor.store.queries import Reader
from processor.store.records import StoredConnection, UnreadableConnection


class Lookup:
    """Reads; every method may raise ``redis.RedisError``."""

    def __init__(self, companies: CompanyService, reader: Reader) -> None:
        self._companies, self._reader = companies, reader

    def company(self, company_id: str) -> CompanyFields:
        """The fields of a company; raises :class:`NotFound` when it is unknown or deleted."""
        row = self._companies.company(company_id)
        if row is None:
            raise NotFound("There is no company with this id.")
        return row

    def connection(self, connection_id: str, company_id: str | None = None) -> StoredConnection:
        """A connection, also a deleted one; one of another company than ``company_id`` is not found."""
        stored = self._reader.row(connection_id)
        if isinstance(stored, UnreadableConnection):
            raise Conflict("What is stored of this connection cannot be read; an operator can repair it.")
        if stored is None or company_id not in (None, stored.connection.company_id):
            raise NotFound("There is no connection with this id.")
        return stored

    def existing(self, connection_id: str, company_id: str | None) -> tuple[CompanyFields, StoredConnection]:
        """A connection that is not deleted, and its company's fields."""
        stored = self.connection(connection_id, company_id)
        if stored.state == State.DELETED:
            raise NotFound("The connection was deleted.")
        if stored.connection.company_id is None:
            raise Conflict("It is not known yet whose connection this is; try again shortly.")
        return self.company(stored.connection.company_id), stored

    def connections(self, company_id: str) -> list[StoredConnection]:
        """The connections of a company, newest first, without deleted ones."""
        stored = self._reader.connections_of(company_id)
        return [row for row in stored if row.state != State.DELETED]
