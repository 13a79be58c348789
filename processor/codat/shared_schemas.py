"""Schemas that Codat's messages and API responses share: connections and their errors."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from marshmallow import post_load

from handlers.events import Problem
from processor.codat.json_values import (
    MAX_WORD_CHARS,
    as_code,
    as_id,
    as_instant,
    as_message,
    as_name,
    as_status,
    as_text,
    as_word,
)
from processor.codat.lenient_schema import LenientField, LenientSchema

_NEVER = datetime.min.replace(tzinfo=UTC)


_ACCOUNT_NAMES = (
    "companyname",
    "organisationname",
    "organizationname",
    "businessname",
    "shopname",
    "storename",
    "merchantname",
    "accountname",
    "entityname",
    "name",
    "shopurl",
    "shopdomain",
    "storeurl",
    "domain",
)
"""Keys of ``connectionInfo``, a free-form object, that tell two connections of one platform apart."""

MAX_INFO_FIELDS = 50
MAX_ACCOUNT_NAME_CHARS = 120


def as_account_name(value: object) -> str | None:
    """The account, shop or business in ``connectionInfo``; ``None`` if there is none."""
    if not isinstance(value, dict):
        return None
    texts = {
        re.sub(r"[^a-z]", "", name[:MAX_WORD_CHARS].lower()): text
        for name, text in islice(value.items(), MAX_INFO_FIELDS)
        if isinstance(name, str)
    }
    names = (as_text(texts.get(name), MAX_ACCOUNT_NAME_CHARS) for name in _ACCOUNT_NAMES)
    return next((name for name in names if name is not None), None)


class ConnectionFields(LenientSchema):
    """The fields of ``handlers.events.ConnectionDetails``."""

    id = LenientField(as_id, data_key="id")
    platform_key = LenientField(as_word, data_key="integrationKey")
    platform_name = LenientField(as_name, data_key="platformName")
    source_type = LenientField(as_word, data_key="sourceType")
    integration_id = LenientField(as_id, data_key="integrationId")
    status = LenientField(as_status, data_key="status")
    account_name = LenientField(as_account_name, data_key="connectionInfo")


@dataclass(frozen=True, slots=True)
class ConnectionErrorFields:
    """One of ``dataConnectionErrors``; active until it is resolved.

    Only transient errors have a status, ``Active`` or ``Resolved``.
    """

    problem: Problem
    is_active: bool
    errored_at: datetime

    @property
    def at(self) -> datetime | None:
        """When it happened; ``None`` if unknown."""
        return None if self.errored_at == _NEVER else self.errored_at


class ConnectionErrorSchema(LenientSchema):
    """One of ``dataConnectionErrors``."""

    status_code = LenientField(as_code, data_key="statusCode")
    status_text = LenientField(as_message, data_key="statusText")
    message = LenientField(as_message, data_key="errorMessage")
    status = LenientField(as_word, data_key="status")
    errored_at = LenientField(as_instant, data_key="erroredOnUtc")
    resolved = LenientField(as_word, data_key="resolvedOnUtc")

    @post_load
    def _build(self, data: dict[str, Any], **_: Any) -> ConnectionErrorFields:
        return ConnectionErrorFields(
            problem=Problem(data["status_code"], data["status_text"], data["message"]),
            is_active=data["resolved"] is None and (data["status"] or "").lower() != "resolved",
            errored_at=data["errored_at"] or _NEVER,
        )


_ERROR = ConnectionErrorSchema()


def as_connection_error(value: object) -> ConnectionErrorFields | None:
    """Of a list of errors the newest active one, else the last one."""
    if not isinstance(value, list):
        return None
    errors: list[ConnectionErrorFields] = [_ERROR.load(entry) for entry in value if isinstance(entry, dict)]
    if not errors:
        return None
    active = [error for error in errors if error.is_active]
    # Reversed: max returns the first of equals, and the later entry is the newer one.
    return max(reversed(active), key=lambda error: error.errored_at) if active else errors[-1]


def as_problem(value: object) -> Problem | None:
    """The problem of ``as_connection_error``."""
    error = as_connection_error(value)
    return error.problem if error else None
