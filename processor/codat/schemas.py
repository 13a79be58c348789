"""Schemas of Codat's responses; other fields are ignored.

Stricter than the schemas of messages: a response without a required field raises ``CodatUnusable``, which
names the field and never its contents. An unreadable row of a list is skipped.
"""

import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from marshmallow import Schema, ValidationError, post_load

from handlers.events import ConnectionDetails, Dataset
from processor.codat.errors import CodatUnusable
from processor.codat.http import CodatResponse
from processor.codat.json_values import (
    as_id,
    as_instant,
    as_message,
    as_name,
    as_read_status,
    as_tags,
    as_word,
)
from processor.codat.lenient_schema import LenientField, LenientSchema
from processor.codat.models import (
    Branding,
    CompanyResponse,
    ConnectionResponse,
    Image,
    Integration,
    WebhookConsumer,
)
from processor.codat.shared_schemas import ConnectionErrorFields, ConnectionFields, as_connection_error

Row = TypeVar("Row")

_log = logging.getLogger(__name__)

MAX_URL_CHARS = 4_000
UNKNOWN_STATUS = "Unknown"
"""Status of a dataset without a usable one."""


def as_url(value: object) -> str | None:
    """An absolute http(s) URL, safe for a redirect; ``None`` for any other value."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_URL_CHARS or not value.isprintable():
        return None
    text = value.strip()
    try:
        parts = urlsplit(text)
        return text if parts.scheme in ("http", "https") and parts.hostname else None
    except ValueError:
        return None


def as_flag(value: object) -> bool | None:
    """A JSON boolean."""
    return value if isinstance(value, bool) else None


def as_progress(value: object) -> int:
    """A percentage, 0 to 100; any other value is 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return 0
    return int(min(100, max(0, value)))


def as_ids(value: object) -> tuple[str, ...]:
    """The usable ids of a list."""
    ids = (as_id(element) for element in value) if isinstance(value, list) else ()
    return tuple(id_ for id_ in ids if id_ is not None)


def _require(data: Mapping[str, Any], **keys: str) -> None:
    """Raise ``ValidationError`` if one of these fields (name in the schema, key in the JSON) is absent."""
    errors = {key: ["missing or unusable"] for name, key in keys.items() if data[name] is None}
    if errors:
        raise ValidationError(errors)


def load(schema: Schema, value: object, noun: str) -> Any:
    """Load ``value`` with ``schema``. Raises ``CodatUnusable`` with the ``noun`` of the object."""
    if not isinstance(value, dict):
        raise CodatUnusable(f"Codat's answer holds something that is not {noun}.")
    try:
        return schema.load(value)
    except ValidationError as error:
        fields = ", ".join(sorted(map(str, error.messages_dict)))
        raise CodatUnusable(f"Codat's answer holds {noun} without a usable {fields}.") from None


class _ConnectionSchema(ConnectionFields):
    link_url = LenientField(as_url, data_key="linkUrl")
    created = LenientField(as_instant, data_key="created")
    problem = LenientField(as_connection_error, data_key="dataConnectionErrors")

    @post_load
    def _check(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        _require(data, id="id", status="status")
        error: ConnectionErrorFields | None = data["problem"]
        data["problem"] = error.problem if error else None
        data["problem_at"] = (error.at or data["created"]) if error and error.is_active else None
        return data


class _CompanySchema(LenientSchema):
    id = LenientField(as_id, data_key="id")
    name = LenientField(as_name, data_key="name")
    tags = LenientField(as_tags, data_key="tags")
    created = LenientField(as_instant, data_key="created")
    connections = LenientField(lambda value: value, data_key="dataConnections")

    @post_load
    def _check(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        _require(data, id="id")
        return data


class _DatasetSchema(LenientSchema):
    id = LenientField(as_id, data_key="id")
    connection_id = LenientField(as_id, data_key="connectionId")
    data_type = LenientField(as_id, data_key="dataType")
    status = LenientField(as_read_status, data_key="status")
    requested = LenientField(as_instant, data_key="requested")
    completed = LenientField(as_instant, data_key="completed")
    progress = LenientField(as_progress, data_key="progress")
    is_completed = LenientField(as_flag, data_key="isCompleted")
    is_errored = LenientField(as_flag, data_key="isErrored")
    error = LenientField(as_message, data_key="errorMessage")
    description = LenientField(as_message, data_key="statusDescription")

    @post_load
    def _build(self, data: dict[str, Any], **_: Any) -> Dataset:
        _require(data, connection_id="connectionId", data_type="dataType")
        del data["id"]
        data["status"] = data["status"] or UNKNOWN_STATUS
        end_marks = data.pop("is_completed"), data.pop("is_errored"), data["completed"]
        data["ended"] = any(end_marks)
        data["message"] = data.pop("error") or data["description"]
        del data["description"]
        data["progress"] = data["progress"] or 0
        return Dataset(**data)


class _IntegrationSchema(LenientSchema):
    key = LenientField(as_id, data_key="key")
    name = LenientField(as_name, data_key="name")
    enabled = LenientField(as_flag, data_key="enabled")
    source_type = LenientField(as_word, data_key="sourceType")
    logo_url = LenientField(as_url, data_key="logoUrl")
    integration_id = LenientField(as_id, data_key="integrationId")
    is_beta = LenientField(as_flag, data_key="isBeta")
    is_offline = LenientField(as_flag, data_key="isOfflineConnector")

    @post_load
    def _build(self, data: dict[str, Any], **_: Any) -> Integration:
        _require(data, key="key", name="name")
        for flag in ("enabled", "is_beta", "is_offline"):
            data[flag] = bool(data[flag])
        return Integration(**data)


class _ConsumerSchema(LenientSchema):
    id = LenientField(as_id, data_key="id")
    url = LenientField(as_url, data_key="url")
    event_types = LenientField(as_ids, data_key="eventTypes")
    company_tags = LenientField(as_ids, data_key="companyTags")
    disabled = LenientField(as_flag, data_key="disabled")

    @post_load
    def _build(self, data: dict[str, Any], **_: Any) -> WebhookConsumer:
        _require(data, id="id", url="url")
        return WebhookConsumer(
            id=data["id"],
            url=data["url"],
            event_types=data["event_types"] or (),
            company_tags=data["company_tags"] or (),
            disabled=bool(data["disabled"]),
        )


_CONNECTION = _ConnectionSchema()
_COMPANY = _CompanySchema()
_DATASET = _DatasetSchema()
_INTEGRATION = _IntegrationSchema()
_CONSUMER = _ConsumerSchema()

_DETAILS = ("id", "platform_key", "platform_name", "source_type", "integration_id", "account_name", "status")


def connection_of(value: object, response: CodatResponse) -> ConnectionResponse:
    """A connection in ``response``."""
    data = load(_CONNECTION, value, "a connection")
    return ConnectionResponse(
        details=ConnectionDetails(**{name: data.pop(name) for name in _DETAILS[:-1]}, status=data["status"]),
        asked_at=response.asked_at,
        timed=response.timed,
        **data,
    )


def company_of(value: object, response: CodatResponse) -> CompanyResponse:
    """A company in ``response``."""
    data = load(_COMPANY, value, "a company")
    rows = data.pop("connections")
    connections: tuple[ConnectionResponse, ...] | None = None
    if isinstance(rows, list):
        with contextlib.suppress(CodatUnusable):
            connections = tuple(readable(rows, lambda row: connection_of(row, response)))
    data["tags"] = data["tags"] or {}
    return CompanyResponse(
        asked_at=response.asked_at,
        timed=response.timed,
        connections=connections,
        all_readable=connections is not None and len(connections) == len(rows),
        **data,
    )


def readable(rows: Iterable[object], parse: Callable[[object], Row]) -> list[Row]:
    """Parse rows; unreadable ones are logged and skipped. Raises ``CodatUnusable`` if all of them are."""
    parsed, unusable = [], None
    for row in rows:
        try:
            parsed.append(parse(row))
        except CodatUnusable as error:
            unusable = error
            row_id = (as_id(row.get("id")) or as_id(row.get("key"))) if isinstance(row, dict) else None
            _log.warning("a row of a list of Codat is skipped", extra={"row": row_id, "error": error.detail})
    if unusable is not None and not parsed:
        raise unusable
    return parsed


def dataset_of(value: object) -> Dataset:
    """A row of a read history."""
    dataset: Dataset = load(_DATASET, value, "a dataset")
    return dataset


def data_statuses_of(value: object) -> dict[str, str]:
    """Statuses by data type, without those that were never read (``null``, or ``dataType`` alone).

    Raises ``CodatUnusable`` if the value is not a map of data types.
    """
    if not isinstance(value, dict):
        raise CodatUnusable("Codat's answer is not a map of data types.")
    if value and all(row is not None and not _is_data_type(row) for row in value.values()):
        raise CodatUnusable("Codat's answer holds no data type that can be read.")
    statuses: dict[str, str] = {}
    for key, row in value.items():
        data_type = as_id(key)
        status = as_read_status(row.get("currentStatus")) if isinstance(row, dict) else None
        if data_type is not None and status is not None:
            statuses[data_type] = status
    return statuses


def _is_data_type(row: object) -> bool:
    return isinstance(row, dict) and ("dataType" in row or "currentStatus" in row)


def integration_of(value: object) -> Integration:
    """A platform."""
    integration: Integration = load(_INTEGRATION, value, "an integration")
    return integration


def branding_of(value: object) -> Branding:
    """The pictures of a platform; those without a usable URL are ``None``."""
    if not isinstance(value, dict):
        raise CodatUnusable("Codat's answer is not the branding of a platform.")
    return Branding(
        logo_full=_image(value, ("logo", "full", "image")),
        logo_square=_image(value, ("logo", "square", "image")),
        button=_image(value, ("button", "default", "image")),
        button_hover=_image(value, ("button", "hover", "image")),
    )


def consumer_of(value: object) -> WebhookConsumer:
    """A webhook consumer."""
    consumer: WebhookConsumer = load(_CONSUMER, value, "a webhook consumer")
    return consumer


def _image(value: object, path: Iterable[str]) -> Image | None:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, dict):
        return None
    src = as_url(value.get("src"))
    return None if src is None else Image(src, as_name(value.get("alt")))
