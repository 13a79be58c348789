"""What exists in the simulated Codat: companies, connections, datasets, and what happened to them."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from processor.simulator.platforms import JsonObject, SimulatedPlatform
from processor.simulator.times import codat_time

COMPLETE = "Complete"
NOT_SUPPORTED = "NotSupported"
RUNNING = frozenset(
    {
        "Initial",
        "Queued",
        "Fetching",
        "MapQueued",
        "Mapping",
        "ProcessingQueued",
        "Processing",
        "ValidationQueued",
        "Validating",
    }
)
BAD_ENDS = frozenset(
    {
        "FetchError",
        "MapError",
        "InternalError",
        "ProcessingError",
        "ValidationError",
        "AuthError",
        "RateLimitError",
        "PermissionsError",
        "PrerequisiteNotMet",
        "Cancelled",
    }
)
ENDS = BAD_ENDS | {COMPLETE, NOT_SUPPORTED}


class Status(StrEnum):
    """Codat's status of a connection."""

    PENDING = "PendingAuth"
    LINKED = "Linked"
    UNLINKED = "Unlinked"
    DEAUTHORIZED = "Deauthorized"


class FirstSync(StrEnum):
    """How the first read of the current (or last) authorisation stands."""

    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class SimulatorRefusal(Exception):
    """Codat does not do what was asked: ``status`` is its HTTP answer, ``sentence`` its ``error``."""

    def __init__(self, status: int, sentence: str, service: str = "PublicApi") -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.service = service


def new_id() -> str:
    """A fresh id as Codat gives them."""
    return str(uuid.uuid4())


@dataclass(slots=True)
class SimulatedDataset:
    """One read of one data type of one connection; ``progress`` is 0 to 100."""

    connection_id: str
    data_type: str
    requested: datetime
    status: str = "Queued"
    progress: int = 0
    completed: datetime | None = None
    message: str | None = None
    id: str = field(default_factory=new_id)

    def end(self, status: str, at: datetime, platform_name: str) -> None:
        """The read is over, with one of ``ENDS``."""
        self.status, self.progress, self.completed = status, 100, at
        if status in BAD_ENDS:
            self.message = f"Reading {self.data_type} from {platform_name} ended with {status}."

    def as_history(self, company_id: str) -> JsonObject:
        """The dataset as ``GET /companies/{companyId}/data/history`` shows it."""
        shown: JsonObject = {
            "id": self.id,
            "companyId": company_id,
            "connectionId": self.connection_id,
            "dataType": self.data_type,
            "status": self.status,
            "requested": codat_time(self.requested),
            "progress": self.progress,
            "isCompleted": self.status == COMPLETE,
            "isErrored": self.status in BAD_ENDS,
        }
        if self.completed is not None:
            shown["completed"] = codat_time(self.completed)
        if self.message is not None:
            shown["errorMessage"] = shown["statusDescription"] = self.message
        return shown


@dataclass(slots=True)
class Read:
    """Datasets that were asked for together, the first of an authorisation or an ordinary one.

    ``authorization`` is the number of the authorisation that it belongs to.
    """

    authorization: int
    initial: bool
    datasets: list[SimulatedDataset]
    interrupted: bool = False

    @property
    def running(self) -> list[SimulatedDataset]:
        """Those of its datasets that have not ended."""
        return [dataset for dataset in self.datasets if dataset.status in RUNNING]

    @property
    def stands(self) -> FirstSync:
        """How it stands as a whole: complete means that at least one data type is."""
        if self.interrupted:
            return FirstSync.INTERRUPTED
        if self.running:
            return FirstSync.RUNNING
        good = any(dataset.status == COMPLETE for dataset in self.datasets)
        return FirstSync.COMPLETE if good else FirstSync.FAILED


@dataclass(slots=True)
class LinkProblem:
    """An entry of ``dataConnectionErrors``; ``resolved`` is when it no longer mattered.

    Codat gives no status to an error that is not ``transient``.
    """

    status_code: int
    status_text: str
    message: str
    at: datetime
    resolved: datetime | None = None
    transient: bool = True

    def as_json(self) -> JsonObject:
        """The entry as Codat writes it."""
        shown: JsonObject = {
            "statusCode": str(self.status_code),
            "statusText": self.status_text,
            "errorMessage": self.message,
            "erroredOnUtc": codat_time(self.at),
            "status": None if not self.transient else "Active" if self.resolved is None else "Resolved",
        }
        if self.resolved is not None:
            shown["resolvedOnUtc"] = codat_time(self.resolved)
        return shown


@dataclass(slots=True)
class SimulatedConnection:
    """A company's connection to a platform; ``authorizations`` counts how often access was given.

    ``changes`` are the statuses that it had before, each with when it ended.
    """

    company_id: str
    platform: SimulatedPlatform
    created: datetime
    status: Status = Status.PENDING
    authorizations: int = 0
    problems: list[LinkProblem] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    deleted: bool = False
    account_name: str | None = None
    business_name: str | None = None
    id: str = field(default_factory=new_id)
    changes: list[tuple[datetime, Status]] = field(default_factory=list)

    def become(self, status: Status, now: datetime) -> None:
        self.changes.append((now, self.status))
        self.status = status

    def status_at(self, moment: datetime) -> Status:
        """The status that it had at ``moment``."""
        return next((before for ended, before in self.changes if ended > moment), self.status)

    @property
    def last_sync(self) -> datetime | None:
        """When a data type was last read well; ``None``: never."""
        ends = [read.completed for read in self.datasets if read.status == COMPLETE and read.completed]
        return max(ends, default=None)

    @property
    def datasets(self) -> list[SimulatedDataset]:
        """Everything that was ever read of it, oldest first."""
        return [dataset for read in self.reads for dataset in read.datasets]

    @property
    def _first_reads(self) -> list[Read]:
        return [read for read in self.reads if read.initial and read.authorization == self.authorizations]

    @property
    def first_read(self) -> Read | None:
        """The newest first read of the current (or last) authorisation; ``None``: not begun."""
        return next(reversed(self._first_reads), None)

    @property
    def first_sync(self) -> FirstSync | None:
        """How the first read of the current (or last) authorisation stands; ``None``: not begun.

        With several (one per product of Codat) it is complete as soon as one of them is.
        """
        stands = [read.stands for read in self._first_reads]
        return FirstSync.COMPLETE if FirstSync.COMPLETE in stands else stands[-1] if stands else None

    @property
    def progress(self) -> int:
        """How far that first read is, 0 to 100."""
        datasets = self.first_read.datasets if self.first_read else []
        return sum(dataset.progress for dataset in datasets) // max(1, len(datasets))

    def as_json(self, link_url: str) -> JsonObject:
        """The connection as the API and the messages show it."""
        shown: JsonObject = {
            "id": self.id,
            "integrationId": self.platform.integration_id,
            "integrationKey": self.platform.key,
            "sourceId": self.platform.source_id,
            "platformName": self.platform.name,
            "linkUrl": link_url,
            "status": self.status.value,
            "created": codat_time(self.created),
            "sourceType": self.platform.source_type,
        }
        if self.last_sync is not None:
            shown["lastSync"] = codat_time(self.last_sync)
        if self.account_name is not None:
            shown["connectionInfo"] = {"companyName": self.account_name}
        if self.problems:
            shown["dataConnectionErrors"] = [problem.as_json() for problem in self.problems]
        return shown


@dataclass(slots=True)
class SimulatedCompany:
    """A business whose data is shared; its deleted connections stay here as the record of the truth."""

    name: str
    created: datetime
    tags: dict[str, str] = field(default_factory=dict)
    connections: dict[str, SimulatedConnection] = field(default_factory=dict)
    deleted: bool = False
    id: str = field(default_factory=new_id)
    products: tuple[str, ...] = ()

    @property
    def present(self) -> list[SimulatedConnection]:
        """Its connections that are not deleted, in order of creation."""
        return [connection for connection in self.connections.values() if not connection.deleted]

    @property
    def datasets(self) -> list[SimulatedDataset]:
        """Everything that was ever read of its present connections."""
        return [dataset for connection in self.present for dataset in connection.datasets]

    @property
    def is_active(self) -> bool:
        """Whether it counts as an active connected company for the quota."""
        return any(connection.status is Status.LINKED for connection in self.present)

    @property
    def last_sync(self) -> datetime | None:
        """When any of its connections was last read well; ``None``: never."""
        return max(filter(None, (connection.last_sync for connection in self.present)), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodatChange:
    """A change, as the messages tell it; ``at`` is Codat's time of it.

    ``event_type`` is the current service's name. ``old_status`` is ``None`` where the status did not change
    or there was none before. ``product`` was added to the company, or removed.
    """

    event_type: str
    at: datetime
    company: SimulatedCompany
    connection: SimulatedConnection | None = None
    old_status: Status | None = None
    datasets: tuple[SimulatedDataset, ...] = ()
    product: str | None = None
