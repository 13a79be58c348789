"""Types of observations: the answers of Codat's API and the steps of the journey."""

from collections.abc import Mapping
from types import MappingProxyType

from handlers.events import (
    CompanyCreated,
    CompanyDeleted,
    CompanyNotShown,
    ConnectionCreated,
    ConnectionDeleted,
    ConnectionEnded,
    ConnectionFailed,
    ConnectionGone,
    ConnectionSeen,
    Event,
    HistorySeen,
    QuestionUnanswered,
    UnhandledEvent,
)

CONNECTION_SEEN = "codat-api.connection"
CONNECTION_GONE = "codat-api.gone"
HISTORY_SEEN = "codat-api.history"
UNANSWERED = "codat-api.unanswered"
COMPANY_NOT_SHOWN = "codat-api.company.unknown"
CONNECTION_FAILED = "codat-api.failed"
COMPANY_SEEN = "codat-api.company"
COMPANY_GONE = "codat-api.company.gone"
CONNECTION_CREATED = "journey.connection.created"
CONNECTION_UNLINKED = "journey.connection.unlinked"
CONNECTION_DELETED = "journey.connection.deleted"
COMPANY_DELETED = "journey.company.deleted"
CONSENT_GIVEN = "journey.consent.given"
ACCOUNT_CONFIRMED = "journey.account.confirmed"
LINK_OPENED = "journey.link.opened"
SENT_TO_CODAT = "journey.codat.entered"
BACK_FROM_CODAT = "journey.codat.left"

KINDS: Mapping[str, type[Event]] = MappingProxyType(
    {
        CONNECTION_SEEN: ConnectionSeen,
        CONNECTION_GONE: ConnectionGone,
        HISTORY_SEEN: HistorySeen,
        UNANSWERED: QuestionUnanswered,
        COMPANY_NOT_SHOWN: CompanyNotShown,
        CONNECTION_FAILED: ConnectionFailed,
        COMPANY_SEEN: CompanyCreated,
        COMPANY_GONE: CompanyDeleted,
        CONNECTION_CREATED: ConnectionCreated,
        CONNECTION_UNLINKED: ConnectionEnded,
        CONNECTION_DELETED: ConnectionDeleted,
        COMPANY_DELETED: CompanyDeleted,
        CONSENT_GIVEN: UnhandledEvent,
        ACCOUNT_CONFIRMED: UnhandledEvent,
        LINK_OPENED: UnhandledEvent,
        SENT_TO_CODAT: UnhandledEvent,
        BACK_FROM_CODAT: UnhandledEvent,
    }
)
"""Classes of observations by event type."""
