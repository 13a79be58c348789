"""The legacy dialect: alerts of rules, with ``AlertId RuleType CompanyId Data``.

Keys are compared in lower case: ``Data`` mixes ``newStatus`` and ``DailyQuota``, and the outer keys vary as
well. An alert has no time, so the time of its event is that of the arrival. ``ClientName`` is the name of the
Codat client, not of the company.

Source: https://docs.codat.io/using-the-api/webhooks/legacy/core-rules-types
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from handlers.events import (
    Company,
    ConnectionDetails,
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
from handlers.facts import COMPLETE
from handlers.reads import DataTypeRead
from processor.alerts.envelope import Envelope, build_envelope, missing_ids
from processor.codat.json_values import (
    as_id,
    as_instant,
    as_message,
    as_name,
    as_object,
    as_read_status,
    as_status,
    as_word,
)

UNSPECIFIED_ERROR = "InternalError"

_NOT_A_LETTER = re.compile(r"[^a-z0-9]+")
_UUID = re.compile(r"\{?[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\}?", re.IGNORECASE)


class LegacyAlert(NamedTuple):
    """An alert of any rule; the keys of ``data`` are in lower case."""

    connection_id: str | None
    message: str | None
    data: Mapping[str, object]


Reader = Callable[[Envelope, LegacyAlert], Event]


def read(lowered: Mapping[str, object], *, rule_type: str, event_id: str, received_at: datetime) -> Event:
    """The event in an alert whose outer keys are in lower case.

    Case, spaces and punctuation of the rule type are ignored. Raises ``Unrecognised`` if the alert has a
    known rule type and lacks an id that this type requires.
    """
    data = lower_keys(as_object(lowered.get("data")))
    alert = LegacyAlert(
        connection_id=as_id(data.get("dataconnectionid")) or as_id(lowered.get("dataconnectionid")),
        message=as_message(lowered.get("message")),
        data=data,
    )
    company_id = as_id(lowered.get("companyid"))
    envelope = build_envelope(
        event_id=event_id,
        event_type=rule_type,
        source=Source.LEGACY,
        received_at=received_at,
        stated_at=None,
        company=None if company_id is None else Company(company_id),
    )
    return _READERS.get(canonical(rule_type), _other)(envelope, alert)


def canonical(rule_type: str) -> str:
    """A rule type without case, spaces, punctuation and British spelling."""
    return _NOT_A_LETTER.sub("", rule_type.lower()).replace("synchronis", "synchroniz")


def lower_keys(value: Mapping[str, object]) -> dict[str, object]:
    """The object with its keys in lower case; the last of keys that differ in case alone counts."""
    return {key.lower(): entry for key, entry in value.items()}


def _status_claimed(envelope: Envelope, alert: LegacyAlert) -> Event:
    """A claim about the link of a connection, or of an unnamed one; any other event for an unknown status."""
    data = alert.data
    status = as_status(data.get("newstatus"))
    if status is None:
        return _other(envelope, alert)
    if envelope["company"] is None:
        raise missing_ids({"CompanyId": None, "DataConnectionId": alert.connection_id})
    if alert.connection_id is None:
        return UnidentifiedConnectionChanged(**envelope)
    connection = ConnectionDetails(
        id=alert.connection_id,
        platform_key=as_word(data.get("platformkey")),
        platform_name=as_name(data.get("platformname")),
        source_type=as_word(data.get("sourcetype")),
        status=status,
    )
    old = as_status(data.get("oldstatus"))
    return LinkStatusClaimed(**envelope, connection=connection, old=old, new=status)


def _initial_read_claimed(envelope: Envelope, alert: LegacyAlert) -> Event:
    """A claim about a company, or about the connection that it names.

    In Codat's sample the company name is a UUID, which is ignored.
    """
    company = envelope["company"]
    if company is None:
        raise missing_ids({"CompanyId": None})
    name = as_name(alert.data.get("companyname"))
    if name is not None and _UUID.fullmatch(name) is None:
        envelope["company"] = Company(company.id, name)
    return InitialReadClaimed(**envelope, connection_id=alert.connection_id)


def _sync_completed(envelope: Envelope, alert: LegacyAlert) -> Event:
    return _read_completed(envelope, alert, COMPLETE, None)


def _sync_failed(envelope: Envelope, alert: LegacyAlert) -> Event:
    """A failed read; without a status in the alert it is an error without a cause."""
    status = as_read_status(alert.data.get("datasetstatus"))
    return _read_completed(envelope, alert, status or UNSPECIFIED_ERROR, alert.message)


def _read_completed(envelope: Envelope, alert: LegacyAlert, status: str, message: str | None) -> Event:
    """The outcome of one read; without a connection or a data type it is any other event."""
    connection_id, data_type = alert.connection_id, as_id(alert.data.get("datatype"))
    if connection_id is None or data_type is None:
        return _other(envelope, alert)
    if envelope["company"] is None:
        raise missing_ids({"CompanyId": None})
    return ReadCompleted(**envelope, reads=(DataTypeRead(connection_id, data_type, status, message),))


def _deletion_claimed(envelope: Envelope, alert: LegacyAlert) -> Event:
    if envelope["company"] is None:
        raise missing_ids({"CompanyId": None})
    return DeletionClaimed(**envelope, connection_id=alert.connection_id)


def _rate_limit_reached(envelope: Envelope, alert: LegacyAlert) -> Event:
    return RateLimitReached(**envelope, expires_at=as_instant(alert.data.get("expiresutc")))


def _rate_limit_reset(envelope: Envelope, _: LegacyAlert) -> Event:
    return RateLimitReset(**envelope)


def _other(envelope: Envelope, alert: LegacyAlert) -> Event:
    return UnhandledEvent(**envelope, connection_id=alert.connection_id)


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
