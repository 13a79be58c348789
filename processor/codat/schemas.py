"""The shape of what we read of Codat's answers; everything else in them is passed over.

Stricter than with messages: an answer that lacks what we asked for is no answer, and raises
``CodatUnusable``, which names the place and never the contents. A row of a list that cannot be read
costs that row alone. Schemas are made once.
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
    DataTypeStatus,
    Image,
    Integration,
    WebhookConsumer,
)
from processor.codat.shared_schemas import ConnectionErrorFields, ConnectionFields, as_spoken_problem

Read = TypeVar("Read")

_log = logging.getLogger(__name__)

MAX_URL_CHARS = 4_000
UNSAID_STATUS = "Unknown"
"""The status of a dataset of which Codat says none that can be used."""


def as_url(value: object) -> str | None:
    """An absolute http(s) address, safe to send somebody to; ``None`` for anything else."""
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
    """A percentage, 0 to 100; anything else is 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return 0
    return int(min(100, max(0, value)))


def as_ids(value: object) -> tuple[str, ...]:
    """The usable ids of a list."""
    found = (as_id(one) for one in value) if isinstance(value, list) else ()
    return tuple(one for one in found if one is not None)


def _require(data: Mapping[str, Any], **places: str) -> None:
    lacking = {place: ["missing or unusable"] for name, place in places.items() if data[name] is None}
    if lacking:
        raise ValidationError(lacking)


def loaded(schema: Schema, value: object, what: str) -> Any:
    """``value`` read by ``schema``; raises ``CodatUnusable`` where it is not a readable ``what``."""
    if not isinstance(value, dict):
        raise CodatUnusable(f"Codat's answer holds something that is not {what}.")
    try:
        return schema.load(value)
    except ValidationError as error:
        places = ", ".join(sorted(map(str, error.messages_dict)))
        raise CodatUnusable(f"Codat's answer holds {what} without a usable {places}.") from None


class _ConnectionSchema(ConnectionFields):
    link_url = LenientField(as_url, data_key="linkUrl")
    last_sync = LenientField(as_instant, data_key="lastSync")
    created = LenientField(as_instant, data_key="created")
    problem = LenientField(as_spoken_problem, data_key="dataConnectionErrors")

    @post_load
    def _checked(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        _require(data, id="id", status="status")
        spoken: ConnectionErrorFields | None = data["problem"]
        data["problem"] = spoken.problem if spoken else None
        data["problem_at"] = (spoken.at or data["created"]) if spoken and spoken.is_active else None
        return data


class _CompanySchema(LenientSchema):
    id = LenientField(as_id, data_key="id")
    name = LenientField(as_name, data_key="name")
    tags = LenientField(as_tags, data_key="tags")
    created = LenientField(as_instant, data_key="created")
    redirect = LenientField(as_url, data_key="redirect")
    connections = LenientField(lambda value: value, data_key="dataConnections")

    @post_load
    def _checked(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
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
    def _made(self, data: dict[str, Any], **_: Any) -> Dataset:
        _require(data, connection_id="connectionId", data_type="dataType")
        del data["id"]
        data["status"] = data["status"] or UNSAID_STATUS
        over = data.pop("is_completed"), data.pop("is_errored"), data["completed"]
        data["ended"] = any(over)
        data["message"] = data.pop("error") or data["description"]
        del data["description"]
        data["progress"] = data["progress"] or 0
        return Dataset(**data)


class _DataTypeStatusSchema(LenientSchema):
    data_type = LenientField(as_id, data_key="dataType")
    current_status = LenientField(as_read_status, data_key="currentStatus")
    last_successful_sync = LenientField(as_instant, data_key="lastSuccessfulSync")
    latest_sync_id = LenientField(as_id, data_key="latestSyncId")
    latest_successful_sync_id = LenientField(as_id, data_key="latestSuccessfulSyncId")


class _IntegrationSchema(LenientSchema):
    key = LenientField(as_id, data_key="key")
    name = LenientField(as_name, data_key="name")
    enabled = LenientField(as_flag, data_key="enabled")
    source_type = LenientField(as_word, data_key="sourceType")
    logo_url = LenientField(as_url, data_key="logoUrl")
    integration_id = LenientField(as_id, data_key="integrationId")
    source_id = LenientField(as_id, data_key="sourceId")
    is_beta = LenientField(as_flag, data_key="isBeta")
    is_offline = LenientField(as_flag, data_key="isOfflineConnector")

    @post_load
    def _made(self, data: dict[str, Any], **_: Any) -> Integration:
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
    def _made(self, data: dict[str, Any], **_: Any) -> WebhookConsumer:
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
_DATA_TYPE_STATUS = _DataTypeStatusSchema()
_INTEGRATION = _IntegrationSchema()
_CONSUMER = _ConsumerSchema()

_DETAILS = ("id", "platform_key", "platform_name", "source_type", "integration_id", "account_name", "status")


def connection_of(value: object, answer: CodatResponse) -> ConnectionResponse:
    """A connection that ``answer`` holds."""
    data = loaded(_CONNECTION, value, "a connection")
    return ConnectionResponse(
        details=ConnectionDetails(**{name: data.pop(name) for name in _DETAILS[:-1]}, status=data["status"]),
        asked_at=answer.asked_at,
        timed=answer.timed,
        **data,
    )


def company_of(value: object, answer: CodatResponse) -> CompanyResponse:
    """A company that ``answer`` holds."""
    data = loaded(_COMPANY, value, "a company")
    rows = data.pop("connections")
    connections: tuple[ConnectionResponse, ...] | None = None
    if isinstance(rows, list):
        with contextlib.suppress(CodatUnusable):
            connections = tuple(readable(rows, lambda row: connection_of(row, answer)))
    data["tags"] = data["tags"] or {}
    return CompanyResponse(
        asked_at=answer.asked_at,
        timed=answer.timed,
        connections=connections,
        all_readable=connections is not None and len(connections) == len(rows),
        **data,
    )


def readable(rows: Iterable[object], read: Callable[[object], Read]) -> list[Read]:
    """Those of ``rows`` that ``read`` can read; what is wrong with one row is logged and costs that row.

    Raises ``CodatUnusable`` where there are rows, and not one of them can be read.
    """
    found, unusable = [], None
    for row in rows:
        try:
            found.append(read(row))
        except CodatUnusable as error:
            unusable = error
            name = (as_id(row.get("id")) or as_id(row.get("key"))) if isinstance(row, dict) else None
            _log.warning("a row of Codat's is left out", extra={"row": name, "error": error.detail})
    if unusable is not None and not found:
        raise unusable
    return found


def dataset_of(value: object) -> Dataset:
    """One row of a read history."""
    dataset: Dataset = loaded(_DATASET, value, "a dataset")
    return dataset


def data_statuses_of(value: object) -> dict[str, DataTypeStatus]:
    """Data statuses by data type.

    Left out is a data type of which Codat says nothing that can be used: of one that was never read it says
    ``null``, or ``dataType`` alone. Raises ``CodatUnusable`` where the whole is not a map of data types.
    """
    if not isinstance(value, dict):
        raise CodatUnusable("Codat's answer is not a map of data types.")
    if value and all(row is not None and not _is_data_type(row) for row in value.values()):
        raise CodatUnusable("Codat's answer holds no data type that can be read.")
    statuses: dict[str, DataTypeStatus] = {}
    for key, row in value.items():
        name = as_id(key)
        data = _DATA_TYPE_STATUS.load(row) if isinstance(row, dict) else {}
        if name is None or data.get("current_status") is None:
            continue
        data["data_type"] = data["data_type"] or name
        statuses[name] = DataTypeStatus(**data)
    return statuses


def _is_data_type(row: object) -> bool:
    return isinstance(row, dict) and ("dataType" in row or "currentStatus" in row)


def integration_of(value: object) -> Integration:
    """One platform."""
    integration: Integration = loaded(_INTEGRATION, value, "an integration")
    return integration


def branding_of(value: object) -> Branding:
    """The pictures of a platform; those without a usable address are left out."""
    if not isinstance(value, dict):
        raise CodatUnusable("Codat's answer is not the branding of a platform.")
    return Branding(
        logo_full=_image(value, ("logo", "full", "image")),
        logo_square=_image(value, ("logo", "square", "image")),
        button=_image(value, ("button", "default", "image")),
        button_hover=_image(value, ("button", "hover", "image")),
    )


def consumer_of(value: object) -> WebhookConsumer:
    """One consumer of messages."""
    consumer: WebhookConsumer = loaded(_CONSUMER, value, "a webhook consumer")
    return consumer


def _image(value: object, names: Iterable[str]) -> Image | None:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, dict):
        return None
    src = as_url(value.get("src"))
    return None if src is None else Image(src, as_name(value.get("alt")))
