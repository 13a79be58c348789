"""Company ids as people type them, and the search for one in the body of an unrecognised message. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


def is_uuid(company_id: str) -> bool:
    """Whether the id is a UUID, as Codat's ids are."""
    return _UUID.fullmatch(company_id) is not None


def normalized(typed_id: str) -> str:
    """The id without surrounding blanks, and in lower case if it is a UUID."""
    stripped = typed_id.strip()
    return stripped.lower() if is_uuid(stripped) else stripped


def spellings(typed_id: str) -> tuple[str, ...]:
    """The spellings under which the id may be stored, the likeliest first; empty for a blank.

    Codat compares UUIDs without case; any other id has one spelling.
    """
    stripped = typed_id.strip()
    if not stripped:
        return ()
    cases = (stripped.lower(), stripped.upper()) if is_uuid(stripped) else ()
    return tuple(dict.fromkeys((typed_id, stripped, *cases)))


def names_company(body: bytes, company_id: str) -> bool:
    """Whether the body of a message contains the company's id.

    A UUID is unmistakable anywhere in the body. Any other id may be a common word: it counts only as a
    complete value of a JSON document.
    """
    if is_uuid(company_id):
        return company_id.lower().encode() in body.lower()
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return company_id in _texts(document)


def _texts(document: Any) -> Iterator[str]:
    """All text values of a JSON document, at any depth."""
    stack = [document]
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            stack += value.values()
        elif isinstance(value, list):
            stack += value
