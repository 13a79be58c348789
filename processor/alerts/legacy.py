"""The legacy dialect: alerts of rules, with ``AlertId RuleType CompanyId Data``.

An alert has no time, so the time of its event is that of the arrival. ``ClientName`` is the name of the
Codat client, not of the company.

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
from processor.alerts.envelope import Envelope, build_envelope, missing_ids
from processor.alerts.legacy_schemas import LegacyAlert, as_legacy_alert

Reader = Callable[[Envelope, LegacyAlert], Event]

COMPLETE = "Complete"
UNSPECIFIED_ERROR = "InternalError"

_NOT_A_LETTER = re.compile(r"[^a-z0-9]+")
_UUID = re.compile(r"\{?[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\}?", re.IGNORECASE)


def read(lowered: Mapping[str, object], *, rule_type: str, event_id: str, received_at: datetime) -> Event:
    """The event in an alert whose outer keys are in lower case.

    Case, spaces and punctuation of the rule type are ignored. Raises ``Unrecognised`` if the alert has a
    known rule type and lacks an id that this type requires.
    """
    alert = as_legacy_alert(lowered)
    envelope = build_envelope(
        event_id=event_id,
        event_type=rule_type,
        source=Source.LEGACY,
        received_at=received_at,
        stated_at=None,
        company=None if alert.company_id is None else Company(alert.company_id),
    )
    return _READERS.get(canonical(rule_type), _other)(envelope, alert)


def canonical(rule_type: str) -> str:
    """A rule type without case, spaces, punctuation and British spelling."""
    return _NOT_A_LETTER.sub("", rule_type.lower()).replace("synchronis", "synchroniz")


def _connection_id(alert: LegacyAlert) -> str | None:
    return alert.data.connection_id or alert.connection_id


def _status_claimed(envelope: Envelope, alert: LegacyAlert) -> Event:
    """A claim about the link of a connection, or of an unnamed one; any other event for an unknown status."""
    data = alert.data
    if data.new_status is None:
        return _other(envelope, alert)
    connection_id = _connection_id(alert)
    if envelope["company"] is None:
        raise missing_ids({"CompanyId": None, "DataConnectionId": connection_id})
    if connection_id is None:
        return UnidentifiedConnectionChanged(**envelope)
    connection = ConnectionDetails(
        id=connection_id,
        platform_key=data.platform_key,
        platform_name=data.platform_name,
        source_type=data.source_type,
        status=data.new_status,
    )
    return LinkStatusClaimed(**envelope, connection=connection, old=data.old_status, new=data.new_status)


def _initial_read_claimed(envelope: Envelope, alert: LegacyAlert) -> Event:
    """A claim about a company, or about the connection that it names.

    In Codat's sample the company name is a UUID, which is ignored.
    """
    company = envelope["company"]
    if company is None:
        raise missing_ids({"CompanyId": None})
    name = alert.data.company_name
    if name is not None and _UUID.fullmatch(name) is None:
        envelope["company"] = Company(company.id, name)
    return InitialReadClaimed(**envelope, connection_id=_connection_id(alert))


def _sync_completed(envelope: Envelope, alert: LegacyAlert) -> Event:
    return _read_completed(envelope, alert, COMPLETE, None)


def _sync_failed(envelope: Envelope, alert: LegacyAlert) -> Event:
    """A failed read; without a status in the alert it is an error without a cause."""
    return _read_completed(envelope, alert, alert.data.dataset_status or UNSPECIFIED_ERROR, alert.message)


def _read_completed(envelope: Envelope, alert: LegacyAlert, status: str, message: str | None) -> Event:
    """The outcome of one read; without a connection or a data type it is any other event."""
    connection_id, data_type = _connection_id(alert), alert.data.data_type
    if connection_id is None or data_type is None:
        return _other(envelope, alert)
    if envelope["company"] is None:
        raise missing_ids({"CompanyId": None})
    return ReadCompleted(**envelope, reads=(DataTypeRead(connection_id, data_type, status, message),))


def _deletion_claimed(envelope: Envelope, alert: LegacyAlert) -> Event:
    if envelope["company"] is None:
        raise missing_ids({"CompanyId": None})
    return DeletionClaimed(**envelope, connection_id=_connection_id(alert))


def _rate_limit_reached(envelope: Envelope, alert: LegacyAlert) -> Event:
    return RateLimitReached(**envelope, expires_at=alert.data.expires_at)


def _rate_limit_reset(envelope: Envelope, _: LegacyAlert) -> Event:
    return RateLimitReset(**envelope)


def _other(envelope: Envelope, alert: LegacyAlert) -> Event:
    return UnhandledEvent(**envelope, connection_id=_connection_id(alert))


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
