"""Values of foreign JSON: ids, texts, times, statuses, and the objects that messages and responses share.

Codat changes its bodies without notice, and one odd field must not invalidate a message or a response: each
function accepts any value and returns ``None`` for an unusable one; none raises. The callers decide which
fields are required.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import NamedTuple

from handlers.events import Company, ConnectionDetails, LinkStatus, Problem
from handlers.facts import ENDED_STATUSES, RUNNING_STATUSES

MAX_ID_CHARS = 128
MAX_WORD_CHARS = 200
MAX_NAME_CHARS = 500
MAX_MESSAGE_CHARS = 2000
MAX_TAGS = 50
MAX_TAG_CHARS = 500
MAX_INFO_FIELDS = 50
MAX_ACCOUNT_NAME_CHARS = 120

# Control characters, line separators and lone surrogates (which cannot be encoded).
_UNUSABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?"
    r"(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_INSTANT_MAX_CHARS = 64
_STATUSES = {status.value.lower(): status for status in LinkStatus}
_READ_STATUSES = {status.lower(): status for status in ENDED_STATUSES | RUNNING_STATUSES}
_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE | re.ASCII)

_NOT_LETTERS = re.compile(r"[^a-z]")
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

NIL = "00000000-0000-0000-0000-000000000000"
"""The nil GUID, with which Codat names no object."""


def folded(text: str) -> str:
    """A GUID in lower case; any other text unchanged."""
    return text.lower() if _GUID.fullmatch(text) else text


def as_object(value: object) -> Mapping[str, object]:
    """A JSON object; empty for any other value."""
    return value if isinstance(value, dict) else {}


def as_id(value: object) -> str | None:
    """An id: a trimmed string of 1 to 128 characters without control characters and surrogates.

    Codat's ids are GUIDs, which are folded to lower case; other ids are accepted as they are. The nil GUID
    is no id.
    """
    if not isinstance(value, str):
        return None
    trimmed = value.strip()
    if not 0 < len(trimmed) <= MAX_ID_CHARS or _is_unusable(trimmed):
        return None
    trimmed = folded(trimmed)
    return None if trimmed == NIL else trimmed


def as_text(value: object, max_chars: int) -> str | None:
    """A line of text: trimmed, cut at ``max_chars``, unusable characters replaced; ``None`` if blank."""
    if not isinstance(value, str):
        return None
    text = value.strip()[:max_chars]
    if _is_unusable(text):
        text = _UNUSABLE.sub(lambda match: "\ufffd" if match.group() >= "\ud800" else " ", text).strip()
    return text or None


as_word = partial(as_text, max_chars=MAX_WORD_CHARS)
as_name = partial(as_text, max_chars=MAX_NAME_CHARS)
as_message = partial(as_text, max_chars=MAX_MESSAGE_CHARS)


def as_instant(value: object) -> datetime | None:
    """An ISO 8601 date and time in UTC; digits beyond microseconds are cut off.

    Codat's times without an offset are UTC. ``23:59:99``, a leap second, ``24:00`` and a date alone are
    not times.
    """
    if not isinstance(value, str) or len(value) > _INSTANT_MAX_CHARS:
        return None
    text = value.strip().upper()
    if _INSTANT.fullmatch(text) is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def as_status(value: object) -> LinkStatus | None:
    """Codat's status of a connection, in any case; ``None`` if it is unknown."""
    return _STATUSES.get(value.strip().lower()) if isinstance(value, str) else None


def as_read_status(value: object) -> str | None:
    """The status of a dataset; a known one in Codat's spelling, another one unchanged."""
    word = as_word(value)
    return None if word is None else _READ_STATUSES.get(word.lower(), word)


def as_code(value: object) -> str | None:
    """A status code, a string or a number."""
    return str(value) if type(value) is int and 0 <= value < 10**6 else as_word(value)


def as_tags(value: object) -> Mapping[str, str] | None:
    """The usable tags; none is shortened, because a part of a tag could name another merchant."""
    if not isinstance(value, dict):
        return None
    usable = ((key, tag) for key, tag in value.items() if _is_tag_text(key) and _is_tag_text(tag))
    return dict(islice(usable, MAX_TAGS))


def as_explanation(value: object) -> str | None:
    """Of a list of issues the message of the first error, else the first message."""
    first: str | None = None
    for issue in map(as_object, value if isinstance(value, list) else ()):
        message = as_message(issue.get("message"))
        if message is None:
            continue
        if (as_word(issue.get("type")) or "").lower().startswith("error"):
            return message
        first = first or message
    return first


def as_ids(value: object) -> tuple[str, ...]:
    """The usable ids of a list."""
    ids = (as_id(element) for element in value) if isinstance(value, list) else ()
    return tuple(id_ for id_ in ids if id_ is not None)


def as_company(value: object) -> Company | None:
    """A company; ``None`` without a usable id."""
    company = as_object(value)
    company_id = as_id(company.get("id"))
    if company_id is None:
        return None
    return Company(company_id, as_name(company.get("name")), as_tags(company.get("tags")) or {})


def as_connection(value: object) -> ConnectionDetails | None:
    """A connection; ``None`` without a usable id."""
    connection = as_object(value)
    connection_id = as_id(connection.get("id"))
    if connection_id is None:
        return None
    return ConnectionDetails(
        id=connection_id,
        platform_key=as_word(connection.get("integrationKey")),
        platform_name=as_name(connection.get("platformName")),
        source_type=as_word(connection.get("sourceType")),
        integration_id=as_id(connection.get("integrationId")),
        status=as_status(connection.get("status")),
        account_name=as_account_name(connection.get("connectionInfo")),
    )


def as_account_name(value: object) -> str | None:
    """The account, shop or business in ``connectionInfo``; ``None`` if there is none."""
    if not isinstance(value, dict):
        return None
    texts = {
        _NOT_LETTERS.sub("", name[:MAX_WORD_CHARS].lower()): text
        for name, text in islice(value.items(), MAX_INFO_FIELDS)
    }
    names = (as_text(texts.get(name), MAX_ACCOUNT_NAME_CHARS) for name in _ACCOUNT_NAMES)
    return next((name for name in names if name is not None), None)


class ReportedProblem(NamedTuple):
    """One of ``dataConnectionErrors``, with its time ``at``; active until it is resolved."""

    problem: Problem
    is_active: bool
    at: datetime | None


def as_reported_problem(value: object) -> ReportedProblem | None:
    """Of a list of errors the newest active one, else the last one."""
    entries = value if isinstance(value, list) else ()
    problems = [_reported_problem(entry) for entry in entries if isinstance(entry, dict)]
    # Reversed: max returns the first of equals, and the later entry is the newer one.
    active = (problem for problem in reversed(problems) if problem.is_active)
    last = problems[-1] if problems else None
    return max(active, key=lambda problem: problem.at or _NEVER, default=last)


def _reported_problem(error: Mapping[str, object]) -> ReportedProblem:
    """Only transient errors have a status, ``Active`` or ``Resolved``."""
    at = as_instant(error.get("erroredOnUtc"))
    status = as_word(error.get("status")) or ""
    return ReportedProblem(
        problem=Problem(
            as_code(error.get("statusCode")),
            as_message(error.get("statusText")),
            as_message(error.get("errorMessage")),
        ),
        is_active=as_word(error.get("resolvedOnUtc")) is None and status.lower() != "resolved",
        at=None if at == _NEVER else at,
    )


def _is_tag_text(text: object) -> bool:
    return isinstance(text, str) and 0 < len(text) <= MAX_TAG_CHARS and not _is_unusable(text)


def _is_unusable(text: str) -> bool:
    # isprintable is several times faster and decides nearly every text.
    return not text.isprintable() and _UNUSABLE.search(text) is not None
