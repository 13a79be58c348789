"""The shape of what we read of current messages; everything else in them is passed over.

Every field is lenient: a value of the wrong type counts as absent, since Codat changes
its bodies without notice and an oddity in one field must not cost the message. What a
message cannot do without is decided by the dialect, not here. Schemas are made once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from marshmallow import EXCLUDE, Schema, fields, missing, post_load

from handlers.events import Company, ConnectionDetails, DataTypeRead, Problem
from processor.alerts.values import (
    as_code,
    as_explanation,
    as_id,
    as_instant,
    as_message,
    as_name,
    as_status,
    as_tags,
    as_word,
)

UNSAID_READ_STATUS = "Unknown"

_NEVER = datetime.min.replace(tzinfo=UTC)


class Reading(fields.Field[Any]):
    """A field read by a function that answers ``None`` for what it cannot use; absent is ``None``.

    It takes the place of marshmallow's validation, of which nothing is left to do.
    """

    def __init__(self, read: Callable[[object], object], *, data_key: str) -> None:
        super().__init__(data_key=data_key)
        self._read = read

    def deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        return None if value is missing else self._read(value)


class LenientSchema(Schema):
    """A schema that never fails on an object, of which it reads the fields that it knows."""

    class Meta:
        unknown = EXCLUDE


class CompanySchema(LenientSchema):
    """``payload.referenceCompany``, or the payload of ``company.*``."""

    id = Reading(as_id, data_key="id")
    name = Reading(as_name, data_key="name")
    tags = Reading(as_tags, data_key="tags")

    @post_load
    def _made(self, data: dict[str, Any], **_: Any) -> Company | None:
        return None if data["id"] is None else Company(data["id"], data["name"], data["tags"] or {})


_COMPANY = CompanySchema()


def as_company(value: object) -> Company | None:
    """A company, where ``value`` is an object with a usable id."""
    company: Company | None = _COMPANY.load(value) if isinstance(value, dict) else None
    return company


@dataclass(frozen=True, slots=True)
class SpokenProblem:
    """One of ``payload.connection.dataConnectionErrors``."""

    problem: Problem
    is_active: bool
    errored_at: datetime

    @property
    def at(self) -> datetime | None:
        """When it happened; ``None`` where that is not said."""
        return None if self.errored_at == _NEVER else self.errored_at


class ProblemSchema(LenientSchema):
    """One of ``payload.connection.dataConnectionErrors``."""

    status_code = Reading(as_code, data_key="statusCode")
    status_text = Reading(as_message, data_key="statusText")
    message = Reading(as_message, data_key="errorMessage")
    status = Reading(as_word, data_key="status")
    errored_at = Reading(as_instant, data_key="erroredOnUtc")

    @post_load
    def _made(self, data: dict[str, Any], **_: Any) -> SpokenProblem:
        return SpokenProblem(
            problem=Problem(data["status_code"], data["status_text"], data["message"]),
            is_active=(data["status"] or "").lower() == "active",
            errored_at=data["errored_at"] or _NEVER,
        )


_PROBLEM = ProblemSchema()


def as_problem(value: object) -> Problem | None:
    """Of a list of errors the newest active one; without an active one the last."""
    newest = as_spoken_problem(value)
    return newest.problem if newest else None


def as_spoken_problem(value: object) -> SpokenProblem | None:
    """The same, with its time."""
    if not isinstance(value, list):
        return None
    spoken: list[SpokenProblem] = [_PROBLEM.load(entry) for entry in value if isinstance(entry, dict)]
    if not spoken:
        return None
    active = [error for error in spoken if error.is_active]
    # Reversed: of equals, max keeps the first it meets, and a later entry is the newer one.
    return max(reversed(active), key=lambda error: error.errored_at) if active else spoken[-1]


@dataclass(frozen=True, slots=True)
class SpokenConnection:
    """``payload.connection``; ``details`` is ``None`` without a usable id."""

    details: ConnectionDetails | None = None
    problem: Problem | None = None


class ConnectionSchema(LenientSchema):
    """``payload.connection``."""

    id = Reading(as_id, data_key="id")
    platform_key = Reading(as_word, data_key="integrationKey")
    platform_name = Reading(as_name, data_key="platformName")
    source_type = Reading(as_word, data_key="sourceType")
    integration_id = Reading(as_id, data_key="integrationId")
    status = Reading(as_status, data_key="status")
    problem = Reading(as_problem, data_key="dataConnectionErrors")

    @post_load
    def _made(self, data: dict[str, Any], **_: Any) -> SpokenConnection:
        problem = data.pop("problem")
        return SpokenConnection(None if data["id"] is None else ConnectionDetails(**data), problem)


_CONNECTION = ConnectionSchema()


def as_connection(value: object) -> SpokenConnection | None:
    """A connection, where ``value`` is an object."""
    connection: SpokenConnection | None = _CONNECTION.load(value) if isinstance(value, dict) else None
    return connection


class DataTypeReadSchema(LenientSchema):
    """One of ``payload.dataTypes``.

    The status is kept as written, for Codat adds some without notice; ``Unknown`` where none is said.
    """

    connection_id = Reading(as_id, data_key="connectionId")
    data_type = Reading(as_id, data_key="dataType")
    status = Reading(as_word, data_key="status")
    message = Reading(as_explanation, data_key="issues")

    @post_load
    def _made(self, data: dict[str, Any], **_: Any) -> DataTypeRead | None:
        if data["connection_id"] is None or data["data_type"] is None:
            return None
        data["status"] = data["status"] or UNSAID_READ_STATUS
        return DataTypeRead(**data)


_DATA_TYPE_READ = DataTypeReadSchema()


def as_read(value: object) -> DataTypeRead | None:
    """The outcome of reading one data type, where ``value`` is an object that names it and its connection."""
    read: DataTypeRead | None = _DATA_TYPE_READ.load(value) if isinstance(value, dict) else None
    return read


@dataclass(frozen=True, slots=True)
class Payload:
    """``payload`` of a current message; ``data_types`` as it came, ``None`` where absent."""

    company: Company | None = None
    connection: SpokenConnection | None = None
    connection_id: str | None = None
    data_types: object = None
    expires_at: datetime | None = None


class PayloadSchema(LenientSchema):
    """``payload`` of a current message."""

    company = Reading(as_company, data_key="referenceCompany")
    connection = Reading(as_connection, data_key="connection")
    connection_id = Reading(as_id, data_key="connectionId")
    data_types = fields.Raw(load_default=None, data_key="dataTypes")
    expires_at = Reading(as_instant, data_key="expiryDate")

    @post_load
    def _made(self, data: dict[str, Any], **_: Any) -> Payload:
        return Payload(**data)


_PAYLOAD = PayloadSchema()


def as_payload(value: object) -> Payload:
    """``payload`` of a current message; an empty one where ``value`` is not an object."""
    payload: Payload = _PAYLOAD.load(value) if isinstance(value, dict) else Payload()
    return payload
