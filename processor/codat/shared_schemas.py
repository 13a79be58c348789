"""What Codat says alike in its messages and in its API's answers: connections and their errors."""

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
"""Fields of ``connectionInfo``, which holds anything, that tell two connections of one platform apart."""

MOST_INFO_FIELDS = 50
LONGEST_ACCOUNT_NAME = 120


def as_account_name(value: object) -> str | None:
    """The account, shop or business that ``connectionInfo`` names; ``None`` where it names none."""
    if not isinstance(value, dict):
        return None
    said = {
        re.sub(r"[^a-z]", "", name[:MAX_WORD_CHARS].lower()): text
        for name, text in islice(value.items(), MOST_INFO_FIELDS)
        if isinstance(name, str)
    }
    names = (as_text(said.get(name), LONGEST_ACCOUNT_NAME) for name in _ACCOUNT_NAMES)
    return next((name for name in names if name is not None), None)


class ConnectionFields(LenientSchema):
    """What describes a connection: the fields of ``handlers.events.ConnectionDetails``."""

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

    Codat names a status, ``Active`` or ``Resolved``, for transient errors only.
    """

    problem: Problem
    is_active: bool
    errored_at: datetime

    @property
    def at(self) -> datetime | None:
        """When it happened; ``None`` where that is not said."""
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
    def _made(self, data: dict[str, Any], **_: Any) -> ConnectionErrorFields:
        return ConnectionErrorFields(
            problem=Problem(data["status_code"], data["status_text"], data["message"]),
            is_active=data["resolved"] is None and (data["status"] or "").lower() != "resolved",
            errored_at=data["errored_at"] or _NEVER,
        )


_PROBLEM = ConnectionErrorSchema()


def as_spoken_problem(value: object) -> ConnectionErrorFields | None:
    """Of a list of errors the newest active one, with its time; without an active one the last."""
    if not isinstance(value, list):
        return None
    spoken: list[ConnectionErrorFields] = [_PROBLEM.load(entry) for entry in value if isinstance(entry, dict)]
    if not spoken:
        return None
    active = [error for error in spoken if error.is_active]
    # Reversed: of equals, max keeps the first it meets, and a later entry is the newer one.
    return max(reversed(active), key=lambda error: error.errored_at) if active else spoken[-1]


def as_problem(value: object) -> Problem | None:
    """The same without its time."""
    newest = as_spoken_problem(value)
    return newest.problem if newest else None
