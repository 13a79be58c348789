"""Bytes to an event: which generation an authentic body belongs to, and what it says.

How a message was authenticated plays no part: rules that Codat migrated send the
legacy body under a signature.
"""

import codecs
import json
import logging
import re
import traceback
from datetime import datetime

from handlers.events import Event
from processor.alerts import current, legacy
from processor.alerts.envelope import Unrecognised
from processor.alerts.legacy_schemas import lower_keys
from processor.codat.json_values import as_word

__all__ = ["Unrecognised", "is_too_deep", "recognise"]

# Longer integers become floats: Python refuses to convert very long ones, and none is an id.
_MAX_INT_DIGITS = 300

# Codat's bodies are some ten levels deep. Python's own limit is no protection: json in 3.13
# overruns the stack of a thread with 1 MB (servers choose that size) and ends the process.
MAX_DEPTH = 200
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)

_OF_ALERTS = frozenset({"ruleid", "alertid", "data"})
"""Keys, in lower case, that stand in legacy alerts alone."""

_log = logging.getLogger(__name__)


def recognise(body: bytes, *, event_id: str, received_at: datetime) -> Event:
    """The event that ``body`` describes; ``received_at`` is timezone-aware UTC.

    The type stands under ``eventType``, else under ``RuleType``, else under ``type`` (older samples), keys in
    any case. JSON is read as Python reads it: of duplicate keys the last counts, ``NaN`` and ``Infinity``
    are numbers; a UTF-8 byte order mark is passed over. A type that is none of ours
    is recognised as ``UnhandledEvent`` and needs no ids.

    Raises ``Unrecognised`` and nothing else, whatever the bytes: a legacy sender never comes back
    after a 500, so even a mistake of ours must end in quarantine, not in a lost message.
    """
    try:
        return _read(_object_in(body), event_id=event_id, received_at=received_at)
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
    event_type, rule_type, either = (as_word(lowered.get(key)) for key in ("eventtype", "ruletype", "type"))
    has_payload = "payload" in message
    is_alert = not _OF_ALERTS.isdisjoint(lowered)
    if event_type is not None and (has_payload or not is_alert):
        return current.read(message, event_type=event_type, event_id=event_id, received_at=received_at)
    if rule_type is None and is_alert:
        rule_type = event_type or either
    if rule_type is not None:
        return legacy.read(lowered, rule_type=rule_type, event_id=event_id, received_at=received_at)
    if either is not None and has_payload:
        return current.read(message, event_type=either, event_id=event_id, received_at=received_at)
    raise Unrecognised("the object has neither an eventType nor a RuleType")


def _object_in(body: bytes) -> dict[str, object]:
    try:
        text = body.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError:
        raise Unrecognised("the body is not UTF-8") from None
    if is_too_deep(text):
        raise Unrecognised("the body is nested too deeply")
    try:
        value = _parsed(text)
    except ValueError:
        raise Unrecognised("the body is not JSON") from None
    if not isinstance(value, dict):
        raise Unrecognised("the body is not a JSON object")
    return value


def is_too_deep(text: str) -> bool:
    """Whether arrays and objects lie within each other more than ``MAX_DEPTH`` deep, in linear time."""
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


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # an integer of thousands of digits
        return json.loads(text, parse_int=_lenient_int)


def _lenient_int(digits: str) -> float:
    return int(digits) if len(digits) <= _MAX_INT_DIGITS else float(digits)
