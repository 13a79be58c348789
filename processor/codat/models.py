"""Models of Codat's responses. Times are in UTC; ``None`` means that Codat gives no usable value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from handlers.events import Company, ConnectionDetails, LinkStatus, Problem
from handlers.reads import Dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionResponse:
    """A connection at ``asked_at``.

    ``asked_at`` is the ``Date`` header of the response; without a usable one it is by this machine's clock,
    and ``timed`` is false. ``link_url`` holds a one-time password, valid for up to a day (QuickBooks Online
    Bank Feeds: an hour). ``problem`` is the newest active error, else the last one; ``problem_at`` is the
    time of an active one.
    """

    details: ConnectionDetails
    status: LinkStatus
    asked_at: datetime
    timed: bool = True
    link_url: str | None = field(default=None, repr=False)
    created: datetime | None = None
    problem: Problem | None = None
    problem_at: datetime | None = None

    @property
    def id(self) -> str:
        """Codat's id of the connection."""
        return self.details.id


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyResponse:
    """A company; ``asked_at`` and ``timed`` as in ``ConnectionResponse``.

    ``connections`` is ``None`` if the response has no list of them. Unreadable connections are omitted, and
    ``all_readable`` is then false. ``products`` are the identifiers of its products.
    """

    id: str
    name: str | None
    tags: Mapping[str, str]
    asked_at: datetime
    timed: bool = True
    created: datetime | None = None
    connections: tuple[ConnectionResponse, ...] | None = None
    products: tuple[str, ...] | None = None
    all_readable: bool = True

    @property
    def company(self) -> Company:
        """The company as events carry it."""
        return Company(self.id, self.name, dict(self.tags))


@dataclass(frozen=True, slots=True)
class HistoryResponse:
    """The read history of a company at ``asked_at``, in Codat's order."""

    asked_at: datetime
    datasets: tuple[Dataset, ...]
    timed: bool = True


@dataclass(frozen=True, slots=True)
class Integration:
    """A platform that Codat can connect to."""

    key: str
    name: str
    enabled: bool
    source_type: str | None = None
    logo_url: str | None = None
    integration_id: str | None = None
    is_beta: bool = False
    is_offline: bool = False


@dataclass(frozen=True, slots=True)
class Image:
    """A picture at ``src``, an http(s) URL, with its text ``alt``."""

    src: str
    alt: str | None = None


@dataclass(frozen=True, slots=True)
class Branding:
    """The pictures of one platform. Intuit requires its own buttons, with hover."""

    logo_full: Image | None = None
    logo_square: Image | None = None
    button: Image | None = None
    button_hover: Image | None = None


@dataclass(frozen=True, slots=True)
class WebhookConsumer:
    """A URL to which Codat sends messages of ``event_types``."""

    id: str
    url: str
    event_types: tuple[str, ...] = ()
    company_tags: tuple[str, ...] = ()
    disabled: bool = False
