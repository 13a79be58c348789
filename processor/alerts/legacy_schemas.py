"""Schemas of legacy alerts, as lenient as those of current messages.

Keys are compared in lower case: ``Data`` mixes ``newStatus`` and ``DailyQuota``, and the outer keys vary
as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from marshmallow import post_load

from handlers.events import LinkStatus
from processor.codat.json_values import (
    as_id,
    as_instant,
    as_message,
    as_name,
    as_read_status,
    as_status,
    as_word,
)
from processor.codat.lenient_schema import LenientField, LenientSchema


@dataclass(frozen=True, slots=True)
class LegacyData:
    """``Data`` of a legacy alert of any rule."""

    connection_id: str | None = None
    new_status: LinkStatus | None = None
    old_status: LinkStatus | None = None
    platform_key: str | None = None
    platform_name: str | None = None
    source_type: str | None = None
    data_type: str | None = None
    dataset_status: str | None = None
    company_name: str | None = None
    expires_at: datetime | None = None


class LegacyDataSchema(LenientSchema):
    """``Data`` of a legacy alert, its keys in lower case."""

    connection_id = LenientField(as_id, data_key="dataconnectionid")
    new_status = LenientField(as_status, data_key="newstatus")
    old_status = LenientField(as_status, data_key="oldstatus")
    platform_key = LenientField(as_word, data_key="platformkey")
    platform_name = LenientField(as_name, data_key="platformname")
    source_type = LenientField(as_word, data_key="sourcetype")
    data_type = LenientField(as_id, data_key="datatype")
    dataset_status = LenientField(as_read_status, data_key="datasetstatus")
    company_name = LenientField(as_name, data_key="companyname")
    expires_at = LenientField(as_instant, data_key="expiresutc")

    @post_load
    def _build(self, data: dict[str, Any], **_: Any) -> LegacyData:
        return LegacyData(**data)


_DATA = LegacyDataSchema()


def as_legacy_data(value: object) -> LegacyData:
    """``Data`` of a legacy alert; empty if ``value`` is not an object."""
    data: LegacyData = _DATA.load(lower_keys(value)) if isinstance(value, dict) else LegacyData()
    return data


@dataclass(frozen=True, slots=True)
class LegacyAlert:
    """A legacy alert of any rule."""

    company_id: str | None = None
    connection_id: str | None = None
    message: str | None = None
    data: LegacyData = field(default_factory=LegacyData)


class LegacyAlertSchema(LenientSchema):
    """A legacy alert, its keys in lower case."""

    company_id = LenientField(as_id, data_key="companyid")
    connection_id = LenientField(as_id, data_key="dataconnectionid")
    message = LenientField(as_message, data_key="message")
    data = LenientField(as_legacy_data, data_key="data")

    @post_load
    def _build(self, data: dict[str, Any], **_: Any) -> LegacyAlert:
        data["data"] = data["data"] or LegacyData()
        return LegacyAlert(**data)


_ALERT = LegacyAlertSchema()


def as_legacy_alert(lowered: Mapping[str, object]) -> LegacyAlert:
    """A legacy alert from an object with keys in lower case."""
    alert: LegacyAlert = _ALERT.load(lowered)
    return alert


def lower_keys(value: Mapping[str, object]) -> dict[str, object]:
    """The object with its keys in lower case; the last of keys that differ in case alone counts."""
    return {key.lower(): entry for key, entry in value.items()}
