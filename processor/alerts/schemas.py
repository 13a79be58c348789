"""Schemas of current messages; other fields are ignored.

The dialect decides which fields a message requires.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marshmallow import fields, post_load

from handlers.events import Company, ConnectionDetails, DataTypeRead, Problem
from processor.codat.json_values import as_explanation, as_id, as_instant, as_name, as_read_status, as_tags
from processor.codat.lenient_schema import LenientField, LenientSchema
from processor.codat.shared_schemas import ConnectionFields, as_problem

UNKNOWN_READ_STATUS = "Unknown"


class MessageCompanySchema(LenientSchema):
    """``payload.referenceCompany``, or the payload of ``company.*``."""

    id = LenientField(as_id, data_key="id")
    name = LenientField(as_name, data_key="name")
    tags = LenientField(as_tags, data_key="tags")

    @post_load
    def _build(self, data: dict[str, Any], **_: Any) -> Company | None:
        return None if data["id"] is None else Company(data["id"], data["name"], data["tags"] or {})


_COMPANY = MessageCompanySchema()


def as_company(value: object) -> Company | None:
    """A company; ``None`` without a usable id."""
    company: Company | None = _COMPANY.load(value) if isinstance(value, dict) else None
    return company


@dataclass(frozen=True, slots=True)
class PayloadConnection:
    """``payload.connection``; ``details`` is ``None`` without a usable id."""

    details: ConnectionDetails | None = None
    problem: Problem | None = None


class MessageConnectionSchema(ConnectionFields):
    """``payload.connection``."""

    problem = LenientField(as_problem, data_key="dataConnectionErrors")

    @post_load
    def _build(self, data: dict[str, Any], **_: Any) -> PayloadConnection:
        problem = data.pop("problem")
        return PayloadConnection(None if data["id"] is None else ConnectionDetails(**data), problem)


_CONNECTION = MessageConnectionSchema()


def as_connection(value: object) -> PayloadConnection | None:
    """A connection; ``None`` if ``value`` is not an object."""
    connection: PayloadConnection | None = _CONNECTION.load(value) if isinstance(value, dict) else None
    return connection


class DataTypeReadSchema(LenientSchema):
    """One of ``payload.dataTypes``. An unknown status is kept, an absent one becomes ``Unknown``."""

    connection_id = LenientField(as_id, data_key="connectionId")
    data_type = LenientField(as_id, data_key="dataType")
    status = LenientField(as_read_status, data_key="status")
    message = LenientField(as_explanation, data_key="issues")

    @post_load
    def _build(self, data: dict[str, Any], **_: Any) -> DataTypeRead | None:
        if data["connection_id"] is None or data["data_type"] is None:
            return None
        data["status"] = data["status"] or UNKNOWN_READ_STATUS
        return DataTypeRead(**data)


_DATA_TYPE_READ = DataTypeReadSchema()


def as_read(value: object) -> DataTypeRead | None:
    """The outcome of reading one data type; ``None`` without a data type or connection."""
    read: DataTypeRead | None = _DATA_TYPE_READ.load(value) if isinstance(value, dict) else None
    return read


@dataclass(frozen=True, slots=True)
class Payload:
    """``payload`` of a current message; ``data_types`` is not parsed yet, ``None`` if absent."""

    company: Company | None = None
    connection: PayloadConnection | None = None
    connection_id: str | None = None
    data_types: object = None
    expires_at: datetime | None = None


class PayloadSchema(LenientSchema):
    """``payload`` of a current message."""

    company = LenientField(as_company, data_key="referenceCompany")
    connection = LenientField(as_connection, data_key="connection")
    connection_id = LenientField(as_id, data_key="connectionId")
    data_types = fields.Raw(load_default=None, data_key="dataTypes")
    expires_at = LenientField(as_instant, data_key="expiryDate")

    @post_load
    def _build(self, data: dict[str, Any], **_: Any) -> Payload:
        return Payload(**data)


_PAYLOAD = PayloadSchema()


def as_payload(value: object) -> Payload:
    """``payload`` of a current message; empty if ``value`` is not an object."""
    payload: Payload = _PAYLOAD.load(value) if isinstance(value, dict) else Payload()
    return payload
