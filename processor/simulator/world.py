"""The companies and connections of the simulated Codat, and every change that can happen to them.

Rules: https://docs.codat.io/core-concepts/connections and https://docs.codat.io/platform-api
"""

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from processor.simulator.entities import (
    CodatChange,
    LinkProblem,
    SimulatedCompany,
    SimulatedConnection,
    SimulatedDataset,
    SimulatorRefusal,
    Status,
)
from processor.simulator.platforms import platform_of
from processor.simulator.times import Ticker

_NAME = re.compile(r"[A-Za-z0-9\s\-',&@.,?!\s]+")
_MAX_TAGS, _MAX_TAG_KEY, _MAX_TAG_VALUE = 10, 27, 100
_MAX_PROBLEMS = 10
FAILURES: Mapping[int, tuple[str, str]] = {
    403: ("The user did not give access", "Linking was cancelled by the user."),
    500: ("Linking failed", "Something went wrong at the platform while it was being linked."),
    501: ("Platform not supported", "The user looked for a platform that is not supported."),
}
_REVOKED = ("Access was revoked", "The platform no longer lets us read this connection.")


class World:
    """Companies with their connections; each change is passed to ``tell`` while ``lock`` is held.

    Methods raise ``SimulatorRefusal`` as Codat would. They return the live object: read it with the lock
    held, and change it only through the methods.
    """

    def __init__(self, ticker: Ticker, tell: Callable[[CodatChange], None], lock: threading.RLock) -> None:
        self.lock = lock
        self.ticker = ticker
        self._tell = tell
        self._companies: dict[str, SimulatedCompany] = {}
        self._owners: dict[str, SimulatedCompany] = {}

    def companies(self) -> list[SimulatedCompany]:
        """The companies that exist, oldest first."""
        return [company for company in self._companies.values() if not company.deleted]

    def every_company(self) -> list[SimulatedCompany]:
        """The companies that exist or once did."""
        return list(self._companies.values())

    def company(self, company_id: str) -> SimulatedCompany:
        """The company with that id; refused (404) when there is none."""
        company = self._companies.get(company_id)
        if company is None or company.deleted:
            raise SimulatorRefusal(404, f"There is no company with the ID {company_id}", "ClientsApi")
        return company

    def create_company(
        self, name: object, tags: object = None, products: tuple[str, ...] = ()
    ) -> SimulatedCompany:
        """Add a company; a name or tags outside of Codat's limits are refused (400)."""
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            sentence = "The company name is missing or has characters that are not allowed"
            raise SimulatorRefusal(400, sentence, "ClientsApi")
        with self.lock:
            company = SimulatedCompany(name, self.ticker.now(), _checked_tags(tags), products=products)
            self._companies[company.id] = company
            self._tell(CodatChange(event_type="company.created", at=company.created, company=company))
            return company

    def change_products(self, company: SimulatedCompany, product: str, *, is_added: bool) -> bool:
        """Give a company a product, or take it from it; whether that changed anything."""
        with self.lock:
            if is_added == (product in company.products):
                return False
            others = tuple(known for known in company.products if known != product)
            company.products = (*others, product) if is_added else others
            event_type = f"company.product.{'added' if is_added else 'removed'}"
            at = self.ticker.now()
            self._tell(CodatChange(event_type=event_type, at=at, company=company, product=product))
            return True

    def delete_company(self, company_id: str) -> None:
        """Remove a company and, with it, all of its connections."""
        with self.lock:
            company = self.company(company_id)
            now = self.ticker.now()
            for connection in company.present:
                _interrupt(connection, "Cancelled", now)
                connection.deleted = True
            company.deleted = True
            self._tell(CodatChange(event_type="company.deleted", at=now, company=company))

    def connection(self, company_id: str, connection_id: str) -> SimulatedConnection:
        """A company's connection; refused (404) when there is none."""
        connection = self.company(company_id).connections.get(connection_id)
        if connection is None or connection.deleted:
            raise SimulatorRefusal(404, f"There is no data connection {connection_id}")
        return connection

    def find_connection(self, connection_id: str) -> SimulatedConnection:
        """The connection with that id, of any company; refused (404) when there is none."""
        owner = self._owners.get(connection_id)
        if owner is None or owner.connections[connection_id].deleted:
            raise SimulatorRefusal(404, f"There is no data connection {connection_id}")
        return owner.connections[connection_id]

    def linked(self, connection_id: str) -> SimulatedConnection:
        """The same, refused (409) unless it is linked."""
        connection = self.find_connection(connection_id)
        if connection.status is not Status.LINKED:
            sentence = f"The data connection {connection_id} is {connection.status.value}, not Linked"
            raise SimulatorRefusal(409, sentence)
        return connection

    def create_connection(self, company_id: str, platform_key: object) -> SimulatedConnection:
        """Choose a platform for a company; the connection waits for authorisation afterwards."""
        platform = platform_of(platform_key) if isinstance(platform_key, str) else None
        with self.lock:
            company = self.company(company_id)
            if platform is None:
                raise SimulatorRefusal(400, f"The platform key ({platform_key}) is not valid")
            if not platform.enabled:
                raise SimulatorRefusal(400, f"The integration with {platform.name} is not enabled")
            connection = SimulatedConnection(company.id, platform, self.ticker.now())
            _refuse_second_accounting(company, connection)
            company.connections[connection.id] = connection
            self._owners[connection.id] = company
            self.tell("connection.created", connection, connection.created)
            return connection

    def authorize(self, connection_id: str) -> SimulatedConnection:
        """The user gives access, for the first time or again; refused (409) while it is given."""
        with self.lock:
            connection = self.find_connection(connection_id)
            if connection.status is Status.LINKED:
                raise SimulatorRefusal(409, f"The data connection {connection_id} is linked already")
            _refuse_second_accounting(self.company(connection.company_id), connection)
            old, now = connection.status, self.ticker.now()
            connection.become(Status.LINKED, now)
            connection.authorizations += 1
            for problem in connection.problems:
                problem.resolved = problem.resolved or now
            first_time = old is Status.PENDING
            event_type = "connection.connected" if first_time else "connection.reconnected"
            self.tell(event_type, connection, now, old_status=old)
            return connection

    def reauthorize(self, connection_id: str) -> SimulatedConnection:
        """The user gives access again; refused (409) where it was never given before."""
        with self.lock:
            if self.find_connection(connection_id).authorizations == 0:
                raise SimulatorRefusal(409, f"The data connection {connection_id} was never authorised")
            return self.authorize(connection_id)

    def fail(self, connection_id: str, status_code: int = 403) -> SimulatedConnection:
        """An attempt to authorise fails; the status stays what it was."""
        with self.lock:
            connection, now = self.find_connection(connection_id), self.ticker.now()
            _add_problem(connection, status_code, *FAILURES.get(status_code, FAILURES[500]), now)
            self.tell("connection.failed", connection, now)
            return connection

    def deauthorize(self, connection_id: str) -> SimulatedConnection:
        """The user revokes access at the platform, or it expires; refused (409) unless linked."""
        with self.lock:
            connection, now = self.linked(connection_id), self.ticker.now()
            _interrupt(connection, "AuthError", now)
            _add_problem(connection, 401, *_REVOKED, now)
            return self._end_access(connection, Status.DEAUTHORIZED, now)

    def unlink(self, connection_id: str) -> SimulatedConnection:
        """The client gives access up; refused (409) unless linked."""
        with self.lock:
            connection, now = self.linked(connection_id), self.ticker.now()
            _interrupt(connection, "Cancelled", now)
            return self._end_access(connection, Status.UNLINKED, now)

    def delete_connection(self, connection_id: str) -> None:
        """Remove a connection for good; its last status stays in the message, as Codat does it."""
        with self.lock:
            connection, now = self.find_connection(connection_id), self.ticker.now()
            _interrupt(connection, "Cancelled", now)
            connection.deleted = True
            self.tell("connection.deleted", connection, now)

    def tell(
        self,
        event_type: str,
        connection: SimulatedConnection,
        at: datetime,
        *,
        old_status: Status | None = None,
        datasets: Sequence[SimulatedDataset] = (),
    ) -> None:
        """Report a change of a connection that was made just now."""
        happened = CodatChange(
            event_type=event_type,
            at=at,
            company=self._companies[connection.company_id],
            connection=connection,
            old_status=old_status,
            datasets=tuple(datasets),
        )
        self._tell(happened)

    def _end_access(
        self, connection: SimulatedConnection, status: Status, now: datetime
    ) -> SimulatedConnection:
        old = connection.status
        connection.become(status, now)
        self.tell("connection.disconnected", connection, now, old_status=old)
        return connection


def _refuse_second_accounting(company: SimulatedCompany, candidate: SimulatedConnection) -> None:
    if candidate.platform.source_type != "Accounting":
        return
    for other in company.present:
        is_active = other.platform.source_type == "Accounting" and other.status is Status.LINKED
        if is_active and other is not candidate:
            raise SimulatorRefusal(
                400, f"The company has an active accounting connection already: {other.id}"
            )


def _add_problem(connection: SimulatedConnection, code: int, text: str, message: str, at: datetime) -> None:
    connection.problems = [*connection.problems, LinkProblem(code, text, message, at)][-_MAX_PROBLEMS:]


def _interrupt(connection: SimulatedConnection, status: str, at: datetime) -> None:
    for read in connection.reads:
        for dataset in read.running:
            dataset.end(status, at, connection.platform.name)
            read.interrupted = True


def _checked_tags(tags: object) -> dict[str, str]:
    if tags is None:
        return {}
    if not isinstance(tags, dict):
        raise SimulatorRefusal(400, "The tags are not an object", "ClientsApi")
    if len(tags) > _MAX_TAGS:
        raise SimulatorRefusal(400, f"A company has at most {_MAX_TAGS} tags", "ClientsApi")
    for key, value in tags.items():
        if not 1 <= len(key) <= _MAX_TAG_KEY:
            raise SimulatorRefusal(400, f"The key of a tag has 1 to {_MAX_TAG_KEY} characters", "ClientsApi")
        if not isinstance(value, str) or len(value) > _MAX_TAG_VALUE:
            raise SimulatorRefusal(
                400, f"The value of a tag has at most {_MAX_TAG_VALUE} characters", "ClientsApi"
            )
        if not (key + value).isprintable():
            raise SimulatorRefusal(400, "A tag has a character that cannot be shown", "ClientsApi")
    return dict(tags)
