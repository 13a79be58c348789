"""Events: what happened at Codat, the input of every handler.

Both generations of Codat's messages, the answers of Codat's API and the steps of the journey become events.
Code that handles events does not know the format of the message. Times are aware UTC.

Source of the vocabulary: https://docs.codat.io/using-the-api/webhooks/event-types
"""

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from enum import StrEnum

from handlers.reads import Dataset, DataTypeRead
from handlers.records import dataclass

MERCHANT_TAG = "merchantId"
"""The tag of a company that holds the client's own id of it."""


class Source(StrEnum):
    """Where an event came from."""

    CURRENT = "current"
    LEGACY = "legacy"
    CODAT_API = "codat-api"
    JOURNEY = "journey"


class LinkStatus(StrEnum):
    """Codat's status of a connection, in Codat's spelling."""

    PENDING = "PendingAuth"
    LINKED = "Linked"
    UNLINKED = "Unlinked"
    DEAUTHORIZED = "Deauthorized"

    @property
    def has_ended(self) -> bool:
        """Whether access was given and has ended."""
        return self in (LinkStatus.UNLINKED, LinkStatus.DEAUTHORIZED)


@dataclass(frozen=True, slots=True)
class Trigger:
    """Why Codat was asked, where no message was the reason, or what a user did on our page.

    ``reason`` completes the sentence on the timeline. ``quiet``: milestones that follow are recorded as told
    without being sent, as in a rebuild. ``repairs``: a change that follows counts as a missed message.
    """

    reason: str
    quiet: bool = False
    repairs: bool = False


@dataclass(frozen=True, slots=True)
class Company:
    """A company as an event describes it; ``None`` and empty tags mean that the event does not say."""

    id: str
    name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    products: tuple[str, ...] | None = None

    @property
    def merchant_id(self) -> str | None:
        """The client's own id of the company, from a tag; ``None`` without the tag."""
        return self.tags.get(MERCHANT_TAG) or None


@dataclass(frozen=True, slots=True)
class ConnectionDetails:
    """A connection as an event describes it; ``None`` means that the event does not say.

    ``status`` is copied from the message and may be wrong: ``connection.deleted`` carries ``Linked``.
    ``account_name`` is the platform's name of the account, shop or business.
    """

    id: str
    platform_key: str | None = None
    platform_name: str | None = None
    source_type: str | None = None
    integration_id: str | None = None
    status: LinkStatus | None = None
    account_name: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Codat's description of a failure of a connection."""

    status_code: str | None = None
    status_text: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Common to all events.

    ``event_type`` is Codat's own spelling, for the timeline. ``at`` is Codat's time of the change, or
    ``received_at`` (ours) where the message has no readable time: then ``timed`` is false. ``company`` is
    ``None`` for events about the client. ``trigger`` is ``None`` for messages and for answers to an ``Ask``.
    """

    event_id: str
    event_type: str
    source: Source
    received_at: datetime
    at: datetime
    timed: bool = True
    company: Company | None = None
    trigger: Trigger | None = None

    @property
    def connection_ids(self) -> tuple[str, ...]:
        """The connections that the event names, in its order, each once."""
        return ()

    @property
    def concerns_whole_company(self) -> bool:
        """Whether it also affects connections of the company that it does not name."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionEvent(Event):
    """An event about one connection."""

    connection: ConnectionDetails

    @property
    def connection_ids(self) -> tuple[str, ...]:
        return (self.connection.id,)


class ConnectionCreated(ConnectionEvent):
    """The connection was created and is not authorised yet."""


class ConnectionLinked(ConnectionEvent):
    """The user authorised the connection for the first time."""


class ConnectionRelinked(ConnectionEvent):
    """The user authorised the connection again after its access had ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionFailed(ConnectionEvent):
    """An attempt to authorise failed."""

    problem: Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionEnded(ConnectionEvent):
    """Access ended; ``reason`` is ``Unlinked`` or ``Deauthorized``."""

    reason: LinkStatus
    problem: Problem | None = None


class ConnectionDeleted(ConnectionEvent):
    """The connection was deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCompleted(Event):
    """One or more data types were read, possibly of several connections."""

    reads: tuple[DataTypeRead, ...]
    _by_connection: dict[str, list[DataTypeRead]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        for read in self.reads:
            self._by_connection.setdefault(read.connection_id, []).append(read)

    @property
    def connection_ids(self) -> tuple[str, ...]:
        return tuple(self._by_connection)

    def reads_of(self, connection_id: str) -> Sequence[DataTypeRead]:
        """The reads of one connection, in their order."""
        return self._by_connection.get(connection_id, ())


class InitialReadCompleted(ReadCompleted):
    """The first sync after an authorisation, or a part of it, is complete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStatusClaimed(ConnectionEvent):
    """A legacy alert: the status changed from ``old`` (``None``: unknown) to ``new``, without a time."""

    old: LinkStatus | None
    new: LinkStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionalConnectionEvent(Event):
    """An event that may name one connection of the company: ``connection_id`` is ``None`` if it does not."""

    connection_id: str | None = None

    @property
    def connection_ids(self) -> tuple[str, ...]:
        return () if self.connection_id is None else (self.connection_id,)


class UnhandledEvent(OptionalConnectionEvent):
    """A message that is not about connections or reads: recorded without an action."""


class CompanyWideEvent(OptionalConnectionEvent):
    """An event about every connection of the company, unless it names one."""

    @property
    def concerns_whole_company(self) -> bool:
        return self.connection_id is None


class UnidentifiedConnectionChanged(CompanyWideEvent):
    """A connection of the company changed; the message does not say which one."""


class InitialReadClaimed(CompanyWideEvent):
    """A legacy alert: the first sync of the connection, or of the whole company, is complete."""


class DeletionClaimed(CompanyWideEvent):
    """A legacy alert: a sync connection of the company was deleted (commerce only)."""


class CompanyCreated(Event):
    """A company was created at Codat."""


class CompanyDeleted(Event):
    """A company and all its connections were deleted at Codat."""

    @property
    def concerns_whole_company(self) -> bool:
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitReached(Event):
    """The client's API quota is used up until ``expires_at`` (``None``: unknown)."""

    expires_at: datetime | None = None


class RateLimitReset(Event):
    """The client's API quota is full again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSeen(ConnectionEvent):
    """An observation: Codat's API shows ``status``; ``at`` is the ``Date`` header of its answer."""

    status: LinkStatus


class ConnectionGone(ConnectionEvent):
    """Codat's API does not know the connection any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySeen(Event):
    """Codat's read history of a company, requested for the connections ``asked_for``."""

    asked_for: tuple[str, ...]
    datasets: tuple[Dataset, ...]
    _by_connection: dict[str, list[Dataset]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        for dataset in self.datasets:
            self._by_connection.setdefault(dataset.connection_id, []).append(dataset)

    @property
    def connection_ids(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.asked_for, *self._by_connection)))

    def datasets_of(self, connection_id: str) -> Sequence[Dataset]:
        """The rows of one connection, in their order."""
        return self._by_connection.get(connection_id, ())


class Aspect(StrEnum):
    """What Codat can be asked about."""

    CONNECTION = "connection"
    HISTORY = "history"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionUnanswered(ConnectionEvent):
    """Codat did not answer a question about a connection in time."""

    aspect: Aspect


class CompanyNotShown(QuestionUnanswered):
    """Codat does not show the company of a connection to our API key."""
