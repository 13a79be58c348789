"""What the use cases of the journey answer with; times are ISO 8601 in UTC; ``None``: not known."""

from dataclasses import dataclass, field
from typing import Any

ConnectionView = dict[str, Any]
"""A connection as :func:`processor.resources.serializers.connection` shows it."""


@dataclass(frozen=True, slots=True)
class CompanyView:
    """A company that signed up; ``connect_url`` opens the journey for it and expires after a day.

    ``name`` is Codat's, ``given_name`` the one that was given here, in any characters.
    """

    company_id: str
    merchant_id: str | None
    name: str | None
    contact_email: str | None = field(repr=False)
    connect_url: str = field(repr=False)
    given_name: str | None = field(default=None, repr=False)

    @property
    def own_name(self) -> str | None:
        """The name by which its people know it; ``None``: not known."""
        return self.given_name or self.name


@dataclass(frozen=True, slots=True)
class PlatformView:
    """A platform that can be connected. The addresses are http(s); ``None`` where Codat gives none."""

    key: str
    name: str
    source_type: str | None = None
    logo_url: str | None = None
    logo_alt: str | None = None
    square_logo_url: str | None = None
    button_url: str | None = None
    button_hover_url: str | None = None
    is_beta: bool = False
    is_offline: bool = False
    integration_id: str | None = None

    @property
    def is_upload(self) -> bool:
        """Whether files are handed in here instead of access being given."""
        name = self.name.casefold()
        return "file upload" in name or (self.source_type == "Other" and "upload" in name)

    @property
    def is_on_premise(self) -> bool:
        """Whether it is software on the customer's own computer, which is read while that one is on."""
        return self.is_offline and not self.is_upload


@dataclass(frozen=True, slots=True)
class LinkSession:
    """A connection to be authorised at ``link_url``, which works once, for a day at most.

    For QuickBooks Online Bank Feeds it is an hour: a link is for going there now, not for keeping.

    ``status`` is Codat's (``PendingAuth``, ``Linked``, ``Unlinked``, ``Deauthorized``); ``created`` says
    whether the connection was made now, or one that was pending already is used again.
    """

    connection_id: str
    company_id: str
    link_url: str = field(repr=False)
    status: str
    platform_key: str | None = None
    platform_name: str | None = None
    source_type: str | None = None
    created: bool = False


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """A change that Codat made, and the event that tells it to us."""

    company_id: str
    connection_id: str | None
    event_id: str
    settled: bool
    """Whether the event was handled already; otherwise it is within moments."""


@dataclass(frozen=True, slots=True)
class DataTypeSync:
    """How reading one data type stands; ``status`` as Codat writes it, ``progress`` 0 to 100."""

    data_type: str
    status: str
    outcome: str
    """``reading``, ``complete``, ``failed`` or ``unsupported``."""
    progress: int
    at: str
    message: str | None = None


@dataclass(frozen=True, slots=True)
class ConnectionSync:
    """How reading one connection stands; ``progress`` 0 to 100 of its current authorisation."""

    connection_id: str
    platform_key: str | None
    platform_name: str | None
    source_type: str | None
    state: str
    progress: int
    authorized_at: str | None
    last_read_at: str | None
    data_types: tuple[DataTypeSync, ...]


@dataclass(frozen=True, slots=True)
class SyncView:
    """How reading a company stands over the connections that are authorised now.

    ``status``: ``idle`` (nothing is authorised), ``reading``, ``complete`` or ``failed`` (all failed).
    """

    company_id: str
    status: str
    progress: int
    connections: tuple[ConnectionSync, ...]
