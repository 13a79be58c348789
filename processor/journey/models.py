"""Results of the journey's use cases. Times are ISO 8601 in UTC; ``None`` means not known."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from processor.settings.asked_for import SOURCE_TYPES, AskedFor

ConnectionView = dict[str, Any]
"""A connection as :func:`processor.resources.serializers.connection` represents it."""

SyncView = dict[str, Any]
"""The sync of a company as :func:`processor.journey.progress.sync_view` represents it."""


@dataclass(frozen=True, slots=True)
class PlatformChoice:
    """Keys of platforms: ``shown`` alone, not ``hidden``, ``recommended`` first; ``None``: not said."""

    shown: tuple[str, ...] | None = None
    hidden: tuple[str, ...] | None = None
    recommended: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class CompanyView:
    """A company that signed up; ``connect_url`` opens its journey and expires after a day.

    ``name`` is Codat's name; ``given_name`` is the name from the sign-up, in any characters. ``return_url``
    and ``state`` are the way back that the caller gave; ``products`` are the company's at Codat, as far as
    known; ``brand`` is the key of the brand that its pages show, ``language`` the tag of the language of its
    pages and e-mails. ``asked_for`` is what its users are asked to
    connect, ``skipped`` are the source types that they left for later, and ``group`` is what companies that
    belong together share. Links of another ``link_generation`` are revoked.
    """

    AS_STORED: ClassVar = (
        *("merchant_id", "name", "contact_email", "given_name"),
        *("return_url", "brand", "group", "language", "time_zone"),
    )
    """Fields of a company that are shown as they are stored."""

    company_id: str
    merchant_id: str | None
    name: str | None
    contact_email: str | None = field(repr=False)
    connect_url: str = field(repr=False)
    given_name: str | None = field(default=None, repr=False)
    return_url: str | None = field(default=None, repr=False)
    state: str | None = field(default=None, repr=False)
    products: tuple[str, ...] = ()
    brand: str | None = None
    asked_for: tuple[AskedFor, ...] = ()
    skipped: tuple[str, ...] = ()
    platforms: PlatformChoice = PlatformChoice()
    group: str | None = None
    language: str | None = None
    time_zone: str | None = None
    link_generation: int = 0

    @property
    def display_name(self) -> str | None:
        """The name from the sign-up, else Codat's."""
        return self.given_name or self.name


@dataclass(frozen=True, slots=True)
class PlatformView:
    """A platform that can be connected. The URLs are http(s); ``None`` where Codat gives none."""

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
        """Whether the merchant uploads files instead of giving access."""
        name = self.name.casefold()
        return "file upload" in name or (self.source_type == "Other" and "upload" in name)

    @property
    def is_on_premise(self) -> bool:
        """Whether it is software on the customer's computer, which is read while the computer is on."""
        return self.is_offline and not self.is_upload

    @property
    def is_sandbox(self) -> bool:
        """Whether it is a platform of Codat's with made-up data."""
        return "sandbox" in self.name.casefold()

    @property
    def counts_as(self) -> str:
        """The source type that it is asked for as."""
        return counts_as(self.source_type, self.name)


def counts_as(source_type: str | None, name: str) -> str:
    """The source type as which a platform is asked for: uploaded accounts count as accounting software."""
    words = name.casefold()
    if "upload" in words:
        for word, meant in _UPLOADED.items():
            if word in words:
                return meant
    return source_type if source_type in SOURCE_TYPES else OTHER


OTHER = "Other"
_UPLOADED = {"account": "Accounting", "bank": "Banking", "commerce": "Commerce"}


@dataclass(frozen=True, slots=True)
class LinkSession:
    """A connection to be authorised at ``link_url``, which works once and for up to a day.

    A link for QuickBooks Online Bank Feeds works for an hour, so links are not kept.
    ``status`` is Codat's (``PendingAuth``, ``Linked``, ``Unlinked``, ``Deauthorized``). ``created`` is false
    when a pending connection is used again.
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
    """A change that Codat made, and the inbox event that records it, which a worker handles soon."""

    company_id: str
    connection_id: str | None
    event_id: str
