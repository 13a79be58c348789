"""The legacy generation: alerts by rules, with ``AlertId RuleType CompanyId Data`` and the like.

They carry no time, so every event of theirs has the time of its arrival. ``ClientName`` is
the name of Codat's client, never of the company.

Source: https://docs.codat.io/using-the-api/webhooks/legacy/core-rules-types
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime

from handlers.events import (
    Company,
    ConnectionDetails,
    DataTypeRead,
    DeletionClaimed,
    Event,
    InitialReadClaimed,
    LinkStatusClaimed,
    RateLimitReached,
    RateLimitReset,
    ReadCompleted,
    Source,
    UnhandledEvent,
    UnidentifiedConnectionChanged,
)
from processor.alerts.envelope import Envelope, envelope, lacking
from processor.alerts.legacy_schemas import LegacyAlert, as_legacy_alert

Reader = Callable[[Envelope, LegacyAlert], Event]

COMPLETE = "Complete"
UNSAID_ERROR = "InternalError"

_NOT_A_LETTER = re.compile(r"[^a-z0-9]+")
_UUID = re.compile(r"\{?[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\}?", re.IGNORECASE)


def read(lowered: Mapping[str, object], *, rule_type: str, event_id: str, received_at: datetime) -> Event:
    """The event that an alert (its outer keys in lower case) describes.

    Rule types are compared without case, spaces and punctuation. Raises ``Unrecognised``
    where the rule is one of ours and an id that it needs is missing.
    """
    alert = as_legacy_alert(lowered)
    head = envelope(
        event_id=event_id,
        event_type=rule_type,
        source=Source.LEGACY,
        received_at=received_at,
        stated_at=None,
        company=None if alert.company_id is None else Company(alert.company_id),
    )
    return _READERS.get(canonical(rule_type), _other)(head, alert)


def canonical(rule_type: str) -> str:
    """A rule type without case, spaces, punctuation and the choice between British and American spelling."""
    return _NOT_A_LETTER.sub("", rule_type.lower()).replace("synchronis", "synchroniz")


def _connection_id(alert: LegacyAlert) -> str | None:
    return alert.data.connection_id or alert.connection_id


def _status_claimed(head: Envelope, alert: LegacyAlert) -> Event:
    """A claim about the link of one connection, or of one that is not said.

    With a new status that we do not know it is none of our business.
    """
    data = alert.data
    if data.new_status is None:
        return _other(head, alert)
    connection_id = _connection_id(alert)
    if head["company"] is None:
        raise lacking({"CompanyId": None, "DataConnectionId": connection_id})
    if connection_id is None:
        return UnidentifiedConnectionChanged(**head)
    connection = ConnectionDetails(
        id=connection_id,
        platform_key=data.platform_key,
        platform_name=data.platform_name,
        source_type=data.source_type,
        status=data.new_status,
    )
    return LinkStatusClaimed(**head, connection=connection, old=data.old_status, new=data.new_status)


def _initial_read_claimed(head: Envelope, alert: LegacyAlert) -> Event:
    """A claim about the company, or about one connection where it names one.

    Codat's sample gives a UUID as the company's name, which is no name to show.
    """
    company = head["company"]
    if company is None:
        raise lacking({"CompanyId": None})
    name = alert.data.company_name
    if name is not None and _UUID.fullmatch(name) is None:
        head["company"] = Company(company.id, name)
    return InitialReadClaimed(**head, connection_id=_connection_id(alert))


def _sync_completed(head: Envelope, alert: LegacyAlert) -> Event:
    return _read_completed(head, alert, COMPLETE, None)


def _sync_failed(head: Envelope, alert: LegacyAlert) -> Event:
    """A read that ended badly; where the alert does not say how, it is an error without a cause."""
    return _read_completed(head, alert, alert.data.dataset_status or UNSAID_ERROR, alert.message)


def _read_completed(head: Envelope, alert: LegacyAlert, status: str, message: str | None) -> Event:
    """The outcome of one read; without a connection or a data type it names nothing and is only recorded."""
    connection_id, data_type = _connection_id(alert), alert.data.data_type
    if connection_id is None or data_type is None:
        return _other(head, alert)
    if head["company"] is None:
        raise lacking({"CompanyId": None})
    return ReadCompleted(**head, reads=(DataTypeRead(connection_id, data_type, status, message),))


def _deletion_claimed(head: Envelope, alert: LegacyAlert) -> Event:
    if head["company"] is None:
        raise lacking({"CompanyId": None})
    return DeletionClaimed(**head, connection_id=_connection_id(alert))


def _rate_limit_reached(head: Envelope, alert: LegacyAlert) -> Event:
    return RateLimitReached(**head, expires_at=alert.data.expires_at)


def _rate_limit_reset(head: Envelope, _: LegacyAlert) -> Event:
    return RateLimitReset(**head)


def _other(head: Envelope, alert: LegacyAlert) -> Event:
    return UnhandledEvent(**head, connection_id=_connection_id(alert))


_READERS: Mapping[str, Reader] = {
    canonical(spelling): reader
    for reader, spellings in {
        _status_claimed: ("DataConnectionStatusChanged", "Company data connection status changed"),
        _initial_read_claimed: ("New company synchronized",),
        _sync_completed: ("Data sync completed", "Dataset data changed"),
        _sync_failed: (
            "Data Sync Status Changed To Error",
            "Dataset status has changed to an error state",
        ),
        _deletion_claimed: ("Sync Connection Deleted",),
        _rate_limit_reached: ("Rate Limit Reached", "Client rate limit reached"),
        _rate_limit_reset: ("Rate Limit Reset", "Client rate limit reset"),
    }.items()
    for spelling in spellings
}
