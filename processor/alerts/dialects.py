"""The event in an authentic body of either dialect.

The way of authentication does not determine the dialect: rules that Codat has migrated send legacy bodies
with a signature.
"""

import codecs
import json
import logging
import re
import traceback
from datetime import datetime

import msgspec

from handlers.events import Event
from processor.alerts import current, legacy
from processor.alerts.envelope import Unrecognised
from processor.alerts.legacy import lower_keys
from processor.codat.json_values import as_word

__all__ = ["Unrecognised", "is_too_deep", "recognise"]

# Longer integers become floats: Python refuses to convert very long ones.
_MAX_INT_DIGITS = 300

# Codat's bodies have about ten levels. Python's own limit is no protection: json in 3.13 overruns the stack
# of a thread with 1 MB, a common size in servers, and ends the process.
MAX_DEPTH = 200
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)

_LEGACY_KEYS = frozenset({"ruleid", "alertid", "data"})
"""Keys, in lower case, that only legacy alerts have."""

_log = logging.getLogger(__name__)


def recognise(body: bytes, *, event_id: str, received_at: datetime) -> Event:
    """The event in ``body``; ``received_at`` is in UTC.

    The type is under ``eventType``, else under ``RuleType``, else under ``type`` (older samples), in any
    case. JSON is read as by Python: the last of duplicate keys counts, ``NaN`` and ``Infinity`` are numbers;
    a UTF-8 byte order mark is ignored. An unknown type becomes ``UnhandledEvent``, which needs no ids.

    Raises ``Unrecognised`` and no other error: a legacy sender does not retry after a 500, so after a bug
    here the message must be quarantined and not lost.
    """
    try:
        return _read(_parse_object(body), event_id=event_id, received_at=received_at)
    except Unrecognised:
        raise
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        _log.error(
            "a body could not be read because of a mistake of ours",
            extra={
                "event_id": event_id,
                "error": type(error).__name__,
                "place": f"{frame.filename}:{frame.lineno}",
            },
        )
        raise Unrecognised("the body could not be read because of a mistake of ours") from error


def _read(message: dict[str, object], *, event_id: str, received_at: datetime) -> Event:
    lowered = lower_keys(message)
    event_type, has_payload = as_word(lowered.get("eventtype")), "payload" in message
    is_alert = not _LEGACY_KEYS.isdisjoint(lowered)
    if event_type is not None and (has_payload or not is_alert):
        return current.read(message, event_type=event_type, event_id=event_id, received_at=received_at)
    rule_type, any_type = as_word(lowered.get("ruletype")), as_word(lowered.get("type"))
    if rule_type is None and is_alert:
        rule_type = event_type or any_type
    if rule_type is not None:
        return legacy.read(lowered, rule_type=rule_type, event_id=event_id, received_at=received_at)
    if any_type is not None and has_payload:
        return current.read(message, event_type=any_type, event_id=event_id, received_at=received_at)
    raise Unrecognised("the object has neither an eventType nor a RuleType")


def _parse_object(body: bytes) -> dict[str, object]:
    try:
        text = body.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError:
        raise Unrecognised("the body is not UTF-8") from None
    if is_too_deep(text):
        raise Unrecognised("the body is nested too deeply")
    try:
        value = _parse_json(text)
    except ValueError:
        raise Unrecognised("the body is not JSON") from None
    if not isinstance(value, dict):
        raise Unrecognised("the body is not a JSON object")
    return value


def is_too_deep(text: str) -> bool:
    """Whether arrays and objects are nested more than ``MAX_DEPTH`` deep, in linear time."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(text):
        match token.group()[0]:
            case "[" | "{":
                depth += 1
                if depth > MAX_DEPTH:
                    return True
            case "]" | "}":
                depth -= 1
    return False


def _parse_json(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except ValueError:  # what is JSON for Python alone, such as NaN, or an integer of thousands of digits
        return json.loads(text, parse_int=_lenient_int)


def _lenient_int(digits: str) -> float:
    return int(digits) if len(digits) <= _MAX_INT_DIGITS else float(digits)
