"""Which account, shop or business a connection is to, where another one was connected since."""

from processor.errors import Conflict
from processor.journey.events import JourneyEvents
from processor.journey.lookup import Lookup
from processor.journey.records import Records


class Accounts:
    """Keeps what users say about a changed account; every method may raise ``redis.RedisError``."""

    def __init__(self, *, lookup: Lookup, records: Records, events: JourneyEvents) -> None:
        self._lookup, self._records, self._events = lookup, records, events

    def confirmed(self, company_id: str) -> dict[str, str]:
        """The accounts that users said they meant to connect instead of others, by connection."""
        return self._records.confirmed_accounts(company_id)

    def confirm(self, connection_id: str, account_name: str, *, company_id: str) -> None:
        """Keep that another account than before is meant; raises :class:`Conflict` if it is not connected."""
        row, stored = self._lookup.existing(connection_id, company_id)
        if stored.connection.account_name != account_name:
            raise Conflict("Another account is connected by now.")
        if self._records.confirm_account(company_id, connection_id, account_name):
            self._events.record_account_confirmed(row, connection_id, account_name)
