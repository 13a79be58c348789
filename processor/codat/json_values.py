"""Single values out of somebody else's JSON: ids, texts, times, statuses.

Each function takes anything and answers ``None`` for what it cannot use; none raises.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from itertools import islice

from handlers.events import LinkStatus
from handlers.facts import ENDED_STATUSES, RUNNING_STATUSES

MAX_ID_CHARS = 128
MAX_WORD_CHARS = 200
MAX_NAME_CHARS = 500
MAX_MESSAGE_CHARS = 2000
MAX_TAGS = 50
MAX_TAG_CHARS = 500

# Control characters, line separators and lone surrogates (which no encoder can write).
_UNUSABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?"
    r"(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_INSTANT_MAX_CHARS = 64
_STATUSES = {status.value.lower(): status for status in LinkStatus}
_READ_STATUSES = {status.lower(): status for status in ENDED_STATUSES | RUNNING_STATUSES}
_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE | re.ASCII)

NIL = "00000000-0000-0000-0000-000000000000"
"""The id by which Codat says that it does not say which."""


def folded(text: str) -> str:
    """``text`` in lower case where it is a GUID, whose case says nothing; anything else as it is."""
    return text.lower() if _GUID.fullmatch(text) else text


def as_id(value: object) -> str | None:
    """An id: a string of 1 to 128 characters after trimming, without control characters and surrogates.

    Codat's ids are GUIDs, but their form is Codat's business: what is one is folded to lower case, and of
    anything else the case is kept. The nil GUID is no id.
    """
    if not isinstance(value, str):
        return None
    trimmed = folded(value.strip())
    if not 0 < len(trimmed) <= MAX_ID_CHARS or trimmed == NIL or _is_unusable(trimmed):
        return None
    return trimmed


def as_text(value: object, max_chars: int) -> str | None:
    """One line of text: trimmed, cut at ``max_chars``, unusable characters replaced; blank is ``None``."""
    if not isinstance(value, str):
        return None
    text = value.strip()[:max_chars]
    if _is_unusable(text):
        text = _UNUSABLE.sub(lambda found: "\ufffd" if found.group() >= "\ud800" else " ", text).strip()
    return text or None


as_word = partial(as_text, max_chars=MAX_WORD_CHARS)
as_name = partial(as_text, max_chars=MAX_NAME_CHARS)
as_message = partial(as_text, max_chars=MAX_MESSAGE_CHARS)


def as_instant(value: object) -> datetime | None:
    """An ISO 8601 date and time, in UTC; digits beyond microseconds are cut off.

    A time without an offset is read as UTC, since it is Codat that generates it.
    ``23:59:99``, a leap second, ``24:00`` and a bare date are not times.
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
    """Codat's status of a connection, in any case; ``None`` for one that we do not know."""
    return _STATUSES.get(value.strip().lower()) if isinstance(value, str) else None


def as_read_status(value: object) -> str | None:
    """The status of a dataset; one that we know is spelt as Codat spells it, another is kept as it is."""
    word = as_word(value)
    return None if word is None else _READ_STATUSES.get(word.lower(), word)


def as_code(value: object) -> str | None:
    """A status code, which Codat writes as a string and might write as a number."""
    return str(value) if type(value) is int and 0 <= value < 10**6 else as_word(value)


def as_tags(value: object) -> Mapping[str, str] | None:
    """The usable tags; each is taken whole or not at all, for half a tag would name somebody else."""
    if not isinstance(value, dict):
        return None
    usable = ((key, text) for key, text in value.items() if _is_whole(key) and _is_whole(text))
    return dict(islice(usable, MAX_TAGS))


def as_explanation(value: object) -> str | None:
    """Of a list of issues the message of the first error, else of the first that has one."""
    if not isinstance(value, list):
        return None
    said: str | None = None
    for issue in value:
        message = as_message(issue.get("message")) if isinstance(issue, dict) else None
        if message is None:
            continue
        if (as_word(issue.get("type")) or "").lower().startswith("error"):
            return message
        said = said or message
    return said


def _is_whole(text: object) -> bool:
    return isinstance(text, str) and 0 < len(text) <= MAX_TAG_CHARS and not _is_unusable(text)


def _is_unusable(text: str) -> bool:
    # isprintable is several times faster and settles nearly every text.
    return not text.isprintable() and _UNUSABLE.search(text) is not None
