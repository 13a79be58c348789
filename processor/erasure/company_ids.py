"""Ids of companies as people type them, and whether a text that nobody understood names one. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


def is_uuid(company_id: str) -> bool:
    """Whether this is written as Codat writes ids."""
    return _UUID.fullmatch(company_id) is not None


def as_codat_writes(named: str) -> str:
    """The id without blanks around it, and in lower case where it is a UUID."""
    stripped = named.strip()
    return stripped.lower() if is_uuid(stripped) else stripped


def spellings(named: str) -> tuple[str, ...]:
    """How the id may be written here, the likeliest first; none for a blank.

    Codat compares its ids, which are UUIDs, without case; any other id is only itself.
    """
    stripped = named.strip()
    if not stripped:
        return ()
    cases = (stripped.lower(), stripped.upper()) if is_uuid(stripped) else ()
    return tuple(dict.fromkeys((named, stripped, *cases)))


def names(body: bytes, company_id: str) -> bool:
    """Whether a message's body names the company.

    A UUID can be nothing else, wherever it stands. Any other id counts only as a whole value of a JSON
    document, for it may be a word that stands in everything.
    """
    if is_uuid(company_id):
        return company_id.lower().encode() in body.lower()
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return company_id in _texts(document)


def _texts(document: Any) -> Iterator[str]:
    """Every text that is a value in a JSON document, however deep."""
    left = [document]
    while left:
        one = left.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, Mapping):
            left += one.values()
        elif isinstance(one, list):
            left += one
