"""The models in Codat's responses; other fields are ignored.

Stricter than the readers of messages: a response without a required field raises ``CodatUnusable``, which
names the field and never its contents. An unreadable row of a list is skipped.
"""

import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar
from urllib.parse import urlsplit

from handlers.reads import Dataset
from processor.codat.errors import CodatUnusable
from processor.codat.http import CodatResponse
from processor.codat.json_values import (
    as_account_name,
    as_company,
    as_connection,
    as_id,
    as_ids,
    as_instant,
    as_message,
    as_name,
    as_object,
    as_read_status,
    as_reported_problem,
    as_status,
    as_word,
)
from processor.codat.models import (
    Branding,
    CompanyResponse,
    ConnectionResponse,
    Image,
    Integration,
    WebhookConsumer,
)

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


def as_progress(value: object) -> int:
    """A percentage, 0 to 100; any other value is 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return 0
    return int(min(100, max(0, value)))


def _object(value: object, noun: str) -> Mapping[str, object]:
    """A JSON object. Raises ``CodatUnusable`` with the ``noun`` of the object."""
    if not isinstance(value, dict):
        raise CodatUnusable(f"Codat's answer holds something that is not {noun}.")
    return value


def _incomplete(noun: str, required: Mapping[str, object]) -> CodatUnusable:
    """The error for the absent ones of the ``required`` fields."""
    absent = ", ".join(sorted(name for name, value in required.items() if value is None))
    return CodatUnusable(f"Codat's answer holds {noun} without a usable {absent}.")


def connection_of(value: object, response: CodatResponse) -> ConnectionResponse:
    """A connection in ``response``."""
    fields = _object(value, "a connection")
    details = as_connection(fields)
    if details is None or details.status is None:
        raise _incomplete("a connection", {"id": details, "status": as_status(fields.get("status"))})
    created = as_instant(fields.get("created"))
    error = as_reported_problem(fields.get("dataConnectionErrors"))
    return ConnectionResponse(
        details=details,
        status=details.status,
        asked_at=response.asked_at,
        timed=response.timed,
        link_url=as_url(fields.get("linkUrl")),
        created=created,
        problem=error.problem if error else None,
        problem_at=(error.at or created) if error and error.is_active else None,
    )


def company_of(value: object, response: CodatResponse) -> CompanyResponse:
    """A company in ``response``."""
    fields = _object(value, "a company")
    company = as_company(fields)
    if company is None:
        raise _incomplete("a company", {"id": None})
    rows = fields.get("dataConnections")
    connections: tuple[ConnectionResponse, ...] | None = None
    if isinstance(rows, list):
        with contextlib.suppress(CodatUnusable):
            connections = tuple(readable(rows, lambda row: connection_of(row, response)))
    return CompanyResponse(
        id=company.id,
        name=company.name,
        tags=company.tags,
        asked_at=response.asked_at,
        timed=response.timed,
        created=as_instant(fields.get("created")),
        connections=connections,
        products=as_ids(fields["products"]) if isinstance(fields.get("products"), list) else None,
        all_readable=isinstance(rows, list) and connections is not None and len(connections) == len(rows),
    )


def readable(rows: Iterable[object], parse: Callable[[object], Row]) -> list[Row]:
    """Parse rows; unreadable ones are logged and skipped. Raises ``CodatUnusable`` if all of them are."""
    parsed, unusable = [], None
    for row in rows:
        try:
            parsed.append(parse(row))
        except CodatUnusable as error:
            unusable = error
            row_id = as_id(as_object(row).get("id")) or as_id(as_object(row).get("key"))
            _log.warning("a row of a list of Codat is skipped", extra={"row": row_id, "error": error.detail})
    if unusable is not None and not parsed:
        raise unusable
    return parsed


def dataset_of(value: object) -> Dataset:
    """A row of a read history."""
    fields = _object(value, "a dataset")
    connection_id, data_type = as_id(fields.get("connectionId")), as_id(fields.get("dataType"))
    if connection_id is None or data_type is None:
        raise _incomplete("a dataset", {"connectionId": connection_id, "dataType": data_type})
    completed = as_instant(fields.get("completed"))
    return Dataset(
        connection_id=connection_id,
        data_type=data_type,
        status=as_read_status(fields.get("status")) or UNKNOWN_STATUS,
        requested=as_instant(fields.get("requested")),
        completed=completed,
        progress=as_progress(fields.get("progress")),
        message=as_message(fields.get("errorMessage")) or as_message(fields.get("statusDescription")),
        ended=fields.get("isCompleted") is True or fields.get("isErrored") is True or completed is not None,
    )


def data_statuses_of(value: object) -> dict[str, str]:
    """Statuses by data type, without those that were never read (``null``, or ``dataType`` alone).

    Raises ``CodatUnusable`` if the value is not a map of data types.
    """
    if not isinstance(value, dict):
        raise CodatUnusable("Codat's answer is not a map of data types.")
    if value and all(
        row is not None and as_object(row).keys().isdisjoint(("dataType", "currentStatus"))
        for row in value.values()
    ):
        raise CodatUnusable("Codat's answer holds no data type that can be read.")
    statuses: dict[str, str] = {}
    for key, row in value.items():
        data_type = as_id(key)
        status = as_read_status(as_object(row).get("currentStatus"))
        if data_type is not None and status is not None:
            statuses[data_type] = status
    return statuses


def integration_of(value: object) -> Integration:
    """A platform."""
    fields = _object(value, "an integration")
    key, name = as_id(fields.get("key")), as_name(fields.get("name"))
    if key is None or name is None:
        raise _incomplete("an integration", {"key": key, "name": name})
    return Integration(
        key=key,
        name=name,
        enabled=fields.get("enabled") is True,
        source_type=as_word(fields.get("sourceType")),
        logo_url=as_url(fields.get("logoUrl")),
        integration_id=as_id(fields.get("integrationId")),
        is_beta=fields.get("isBeta") is True,
        is_offline=fields.get("isOfflineConnector") is True,
    )


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
    fields = _object(value, "a webhook consumer")
    consumer_id, url = as_id(fields.get("id")), as_url(fields.get("url"))
    if consumer_id is None or url is None:
        raise _incomplete("a webhook consumer", {"id": consumer_id, "url": url})
    return WebhookConsumer(
        id=consumer_id,
        url=url,
        event_types=as_ids(fields.get("eventTypes")),
        company_tags=as_ids(fields.get("companyTags")),
        disabled=fields.get("disabled") is True,
    )


def account_name_of(value: object) -> str | None:
    """The name of the business in company data of accounting software."""
    return as_account_name(_object(value, "company data"))


def _image(value: object, path: Iterable[str]) -> Image | None:
    for name in path:
        value = as_object(value).get(name)
    image = as_object(value)
    src = as_url(image.get("src"))
    return None if src is None else Image(src, as_name(image.get("alt")))
