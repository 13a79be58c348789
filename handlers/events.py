"""What happened, in the project's own words: the input of every handler.

Both generations of Codat's messages, Codat's answers to our questions and the journey's own steps become
these values; nothing behind this file knows in which dialect a message was written. Times are aware UTC.

Source of the vocabulary: https://docs.codat.io/using-the-api/webhooks/event-types
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Source(StrEnum):
    """The road by which an event reached us."""

    CURRENT = "current"
    LEGACY = "legacy"
    CODAT_API = "codat-api"
    JOURNEY = "journey"


class LinkStatus(StrEnum):
    """Codat's status of a connection, spelt as Codat spells it."""

    PENDING = "PendingAuth"
    LINKED = "Linked"
    UNLINKED = "Unlinked"
    DEAUTHORIZED = "Deauthorized"

    @property
    def has_ended(self) -> bool:
        """Whether access was given once and is over."""
        return self in (LinkStatus.UNLINKED, LinkStatus.DEAUTHORIZED)


@dataclass(frozen=True, slots=True)
class Trigger:
    """Why we asked Codat without a message that made us ask.

    ``reason`` completes the sentence on the timeline. ``quiet``: milestones that follow are recorded as told
    without being sent, as after a rebuild. ``repairs``: a change that follows counts as a missed message.
    """

    reason: str
    quiet: bool = False
    repairs: bool = False


@dataclass(frozen=True, slots=True)
class Company:
    """A company as a message describes it; ``None`` and empty mean "not said"."""

    id: str
    name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def merchant_id(self) -> str | None:
        """Our caller's own id of the company, which travels as a tag; ``None`` without one."""
        return self.tags.get("merchantId") or None


@dataclass(frozen=True, slots=True)
class ConnectionDetails:
    """A connection as a message describes it; ``None`` means "not said".

    ``status`` is what the message *says*, not always what it means: ``connection.deleted`` carries
    ``Linked``. ``account_name`` is the account, shop or business, as the platform names it.
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
    """Codat's description of what went wrong with a connection."""

    status_code: str | None = None
    status_text: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class DataTypeRead:
    """The outcome of reading one data type of one connection.

    ``status`` is Codat's dataset status (``Complete``, ``FetchError``, ...), kept as it was written because
    Codat adds statuses without notice. ``message`` is Codat's explanation where there is one.
    """

    connection_id: str
    data_type: str
    status: str
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """One row of a company's read history.

    Times are Codat's, ``None`` where Codat gives none; ``progress`` is 0 to 100. ``ended``: Codat
    says that reading is over, which counts where we do not know the status.
    """

    connection_id: str
    data_type: str
    status: str
    requested: datetime | None = None
    completed: datetime | None = None
    progress: int = 0
    message: str | None = None
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Common to all events.

    ``event_type`` is Codat's own spelling, for the timeline. ``at`` is Codat's time
    of the change, or ``received_at`` (ours) where the message carries none that can
    be read: then ``timed`` is false. ``company`` is ``None`` for news about the client. ``asked``
    is why we asked, ``None`` for what came by itself or answers a question of the machine.
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
        """The connections that the message names, in its order, each once."""
        return ()

    @property
    def concerns_whole_company(self) -> bool:
        """Whether it also touches connections of the company that it does not name."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionEvent(Event):
    """Something happened to one connection."""

    connection: ConnectionDetails

    @property
    def connection_ids(self) -> tuple[str, ...]:
        return (self.connection.id,)


class ConnectionCreated(ConnectionEvent):
    """A platform was chosen and is not authorised yet."""


class ConnectionLinked(ConnectionEvent):
    """The user authorised the connection for the first time."""


class ConnectionRelinked(ConnectionEvent):
    """The user authorised a connection again whose access had ended."""


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
    """The connection is gone for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCompleted(Event):
    """One or more data types were read, possibly of several connections."""

    reads: tuple[DataTypeRead, ...]

    @property
    def connection_ids(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(read.connection_id for read in self.reads))


class InitialReadCompleted(ReadCompleted):
    """The first read after an authorisation is complete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStatusClaimed(ConnectionEvent):
    """A legacy alert: the status went from ``old`` to ``new`` at some unsaid time.

    ``old`` is ``None`` where the alert gives none or an unknown one.
    """

    old: LinkStatus | None
    new: LinkStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionalConnectionEvent(Event):
    """Something happened to one connection, or to some of the company: ``connection_id`` is ``None``."""

    connection_id: str | None = None

    @property
    def connection_ids(self) -> tuple[str, ...]:
        return () if self.connection_id is None else (self.connection_id,)

    @property
    def concerns_whole_company(self) -> bool:
        return self.connection_id is None


class UnidentifiedConnectionChanged(OptionalConnectionEvent):
    """Something happened to a connection of the company; which one is not said."""


class InitialReadClaimed(OptionalConnectionEvent):
    """A legacy alert: the connection, or the whole company, was synchronised for the first time."""


class DeletionClaimed(OptionalConnectionEvent):
    """A legacy alert: a sync connection of the company was deleted (commerce only)."""


class CompanyCreated(Event):
    """A company was created at Codat."""


class CompanyDeleted(Event):
    """A company was deleted at Codat, and with it every connection it had."""

    @property
    def concerns_whole_company(self) -> bool:
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitReached(Event):
    """The client's API quota is used up until ``expires_at`` (``None``: not said)."""

    expires_at: datetime | None = None


class RateLimitReset(Event):
    """The client's API quota is full again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnhandledEvent(Event):
    """A message that is not about connections or reads: recorded, no action.

    ``connection_id`` is the connection it names, ``None`` where it names none.
    """

    connection_id: str | None = None

    @property
    def connection_ids(self) -> tuple[str, ...]:
        return () if self.connection_id is None else (self.connection_id,)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSeen(ConnectionEvent):
    """Codat's API, asked by us, shows the connection with ``status``.

    ``at`` is the moment of asking by Codat's clock (its ``Date`` header).
    """

    status: LinkStatus


class ConnectionGone(ConnectionEvent):
    """Codat's API, asked by us, does not know the connection any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySeen(Event):
    """Codat's read history of a company, asked by us for ``asked_for`` connections."""

    asked_for: tuple[str, ...]
    datasets: tuple[Dataset, ...]

    @property
    def connection_ids(self) -> tuple[str, ...]:
        named = (dataset.connection_id for dataset in self.datasets)
        return tuple(dict.fromkeys((*self.asked_for, *named)))


class Aspect(StrEnum):
    """What we ask Codat about."""

    CONNECTION = "connection"
    HISTORY = "history"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionUnanswered(ConnectionEvent):
    """Codat did not answer a question about a connection in time."""

    aspect: Aspect


class CompanyNotShown(QuestionUnanswered):
    """Codat, asked with our key, says that it does not know the company of a connection."""
