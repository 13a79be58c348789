"""The simulated Codat as a whole: its parts are put together here, and changes are made by name."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from processor.simulator.agenda import Agenda
from processor.simulator.chaos import DeliveryMode
from processor.simulator.config import Generation, SimulatorConfig
from processor.simulator.consumers import Consumers
from processor.simulator.delivery import Delivery
from processor.simulator.entities import (
    CodatChange,
    SimulatedCompany,
    SimulatedConnection,
    SimulatorRefusal,
    Status,
)
from processor.simulator.faults import Faults
from processor.simulator.lender_client import LenderClient
from processor.simulator.messages import Composer
from processor.simulator.passwords import OneTimePasswords
from processor.simulator.platforms import JsonObject
from processor.simulator.quota import SimulatedQuota
from processor.simulator.reading import SimulatedSync
from processor.simulator.times import Clock, Ticker
from processor.simulator.world import World

Options = Mapping[str, object]


class Simulation:
    """One world with its API's faults and its deliveries; one lock guards all of it.

    ``generations``, ``auto_sync`` and ``sync_s`` begin as configured and can be changed on the way.
    """

    def __init__(self, config: SimulatorConfig, clock: Clock) -> None:
        self.config = config
        self.clock = clock
        self.lock = threading.RLock()
        self.generations = config.generations
        self.auto_sync = config.auto_sync
        self.sync_s = config.sync_s
        self.faults = Faults()
        self.consumers = Consumers(config.webhook_url)
        self.passwords = OneTimePasswords(clock)
        self.composer = Composer(
            base_url=config.base_url, client_id=config.client_id, link_url=self.plain_link_url
        )
        self.delivery = Delivery(config, clock, self.lock, self.consumers.urls_for)
        self.world = World(Ticker(clock), self._tell, self.lock)
        self.quota = SimulatedQuota(clock, self.world)
        self.lender: LenderClient | None = None
        """The caller of the service whose pages are beside this Codat; ``None`` without one."""
        self._agenda = Agenda("simulator-reads")
        self.reading = SimulatedSync(self.world, self._agenda)
        self._changes: Mapping[str, Callable[[str, Options], object]] = {
            "authorize": partial(self._authorize, self.world.authorize),
            "reauthorize": partial(self._authorize, self.world.reauthorize),
            "fail": self._fail,
            "start-sync": lambda connection, _: self.reading.start_sync(connection),
            "complete-sync": lambda connection, options: self.reading.complete_sync(
                connection, options.get("outcomes")
            ),
            "read": lambda connection, options: self.reading.read(connection, options.get("outcomes")),
            "deauthorize": lambda connection, _: self.world.deauthorize(connection),
            "unlink": lambda connection, _: self.world.unlink(connection),
            "delete": lambda connection, _: self.world.delete_connection(connection),
        }

    def change(self, connection_id: str, name: str, options: Options) -> None:
        """Make a named change to a connection; refused where there is no such change, or it cannot be now.

        ``options``: ``status_code`` of ``fail``, ``outcomes`` of ``complete-sync`` and ``read``,
        ``auto_sync``, ``account_name`` (shown with the connection) and ``business_name`` (in its company data
        alone) of ``authorize`` and ``reauthorize``, and ``deliver`` of all.
        """
        make = self._changes.get(name)
        if make is None:
            raise SimulatorRefusal(404, f"There is no change {name}: use one of {', '.join(self._changes)}")
        with self.delivery.with_mode(delivery_mode_of(options)):
            make(connection_id, options)

    def read_again(self, company: SimulatedCompany) -> None:
        """Have each linked connection of a company read; the caller holds the lock."""
        for connection in company.present:
            if connection.status is Status.LINKED:
                self.reading.run_read(connection.id, self.sync_s)

    def plain_link_url(self, connection: SimulatedConnection) -> str:
        """The address of a connection's Link page without a password, which opens nothing."""
        return f"{self.config.base_url}/link/{connection.id}"

    def fresh_link_url(self, connection: SimulatedConnection) -> str:
        """The same with a fresh one-time password."""
        return f"{self.plain_link_url(connection)}?otp={self.passwords.issue(connection.id)}"

    def set_generations(self, names: Iterable[object]) -> None:
        """Send these generations from now on; refused (400) where one is unknown."""
        try:
            self.generations = frozenset(Generation(str(name)) for name in names)
        except ValueError:
            raise SimulatorRefusal(400, f"Generations are {', '.join(Generation)}") from None

    def truth(self) -> JsonObject:
        """How everything really stands, deleted things too."""
        with self.lock:
            companies = {
                company.id: {
                    "name": company.name,
                    "tags": dict(company.tags),
                    "deleted": company.deleted,
                    "connections": {
                        connection.id: _truth_of(connection) for connection in company.connections.values()
                    },
                }
                for company in self.world.every_company()
            }
        return {"companies": companies}

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until every read has ended and every message is sent or given up; ``False``: not in time."""
        end = time.monotonic() + timeout_s
        is_read = self._agenda.wait_until_idle(timeout_s)
        return is_read and self.delivery.wait_until_idle(max(0.0, end - time.monotonic()))

    def stop(self) -> None:
        """End the threads and every hanging call; nothing is sent or read afterwards."""
        self.faults.stopping.set()
        self._agenda.stop()
        self.delivery.stop()

    def _tell(self, happened: CodatChange) -> None:
        self.delivery.submit(self.composer.compose(happened, self.generations))

    def _authorize(self, authorize: Callable[[str], object], connection_id: str, options: Options) -> None:
        names = {name: options.get(name) for name in ("account_name", "business_name")}
        with self.lock:
            connection = self.world.find_connection(connection_id)
            for name, value in names.items():
                if not isinstance(value, str | None):
                    raise SimulatorRefusal(400, f"{name} is not a text")
                setattr(connection, name, value or getattr(connection, name))
        authorize(connection_id)
        if options.get("auto_sync", self.auto_sync):
            self.reading.run_sync(connection_id, self.sync_s)

    def _fail(self, connection_id: str, options: Options) -> None:
        status_code = options.get("status_code", 403)
        if not isinstance(status_code, int) or isinstance(status_code, bool):
            raise SimulatorRefusal(400, "status_code is not a whole number")
        self.world.fail(connection_id, status_code)


def delivery_mode_of(options: Options) -> DeliveryMode | None:
    """The ``deliver`` of a call's options; ``None`` without one, refused (400) for an unknown one."""
    wanted = options.get("deliver")
    try:
        return None if wanted is None else DeliveryMode(str(wanted))
    except ValueError:
        raise SimulatorRefusal(400, f"deliver is one of {', '.join(DeliveryMode)}") from None


def _truth_of(connection: SimulatedConnection) -> JsonObject:
    return {
        "platform_key": connection.platform.key,
        "status": connection.status.value,
        "authorizations": connection.authorizations,
        "first_sync": connection.first_sync.value if connection.first_sync else None,
        "progress": connection.progress,
        "deleted": connection.deleted,
    }
