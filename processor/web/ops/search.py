"""Search for anything by id, and for companies by name or contact."""

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response, redirect
from marshmallow import fields

from processor.codat.names import without_accents
from processor.delivery.email_addresses import with_ascii_domain
from processor.store import failures
from processor.store.queries import Reader
from processor.web.dependencies import get_container
from processor.web.ops import copy, rendering
from processor.web.ops.rendering import blueprint
from processor.web.v1.parameters import LONGEST_ID, NoParameters

MAX_RESULTS = 50
"""Maximum number of companies on the page."""

MAX_COMPARED = 10_000
"""Number of companies, newest first, that are compared with a name: a fraction of a second."""

PAGE = 500
NAME_FIELDS = ("name", "given_name")
"""Fields of a company with a name: Codat's, and the one from the sign-up."""

_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class NameMatches:
    """Companies with a name, out of ``compared`` ones; ``more``: the search stopped before the last."""

    rows: list[dict[str, str]]
    compared: int
    more: bool


@dataclass(frozen=True, slots=True)
class IdMatch:
    """An object with the searched id: the view that shows it, its own id, and a label."""

    kind: str
    id: str
    label: str


class SearchQuery(NoParameters):
    """A search; a text longer than ``LONGEST_ID`` matches nothing."""

    q = fields.String()


@blueprint.get("/search")
def search() -> Response:
    """Redirect to the only object with the id, or show all matches."""
    text = str(rendering.query_of(SearchQuery).get("q", "")).strip()
    container = get_container()
    is_usable = bool(text) and len(text) <= LONGEST_ID
    matches = _id_matches(container.reader, text) if is_usable else []
    if len(matches) == 1:
        return redirect(rendering.address(matches[0].kind, matches[0].id))  # type: ignore[return-value]
    failure = erased_at = name_matches = None
    if not matches:
        failure = failures.find(container.redis, text)
        erased_at = container.reader.erased_at(text)
        if is_usable and not erased_at:
            name_matches = companies_named(container.reader, text)
    return rendering.page(
        "search",
        text=text,
        matches=matches,
        erased_at=erased_at,
        name_matches=name_matches,
        max_results=MAX_RESULTS,
        failure=failure,
    )


def companies_named(reader: Reader, text: str) -> NameMatches:
    """Companies whose name contains ``text``, or whose contact it is; names that begin with it first.

    Names are compared by letters and digits, without case and accents; e-mail addresses as a whole.
    """
    name, email = comparable(text), text
    with contextlib.suppress(ValueError):  # not a domain, so no contact has it
        email = with_ascii_domain(text)
    email = email.casefold()
    rows: list[dict[str, str]] = []
    compared, cursor = 0, None
    while compared < MAX_COMPARED and len(rows) < MAX_RESULTS:
        page = reader.list_companies(limit=min(PAGE, MAX_COMPARED - compared), cursor=cursor)
        compared += len(page.items)
        rows += [row for row in page.items if _matches(row, name, email)]
        cursor = page.next_cursor
        if cursor is None:
            break
    more = cursor is not None or len(rows) > MAX_RESULTS
    rows.sort(key=lambda row: not any(company_name.startswith(name) for company_name in _names(row)))
    return NameMatches(rows[:MAX_RESULTS], compared, more)


def comparable(text: str) -> str:
    """A name for comparison: ``O'Brien & Söhne`` becomes ``obriensohne``."""
    plain = text.lower() if text.isascii() else without_accents(text).casefold()
    return _NOT_ALPHANUMERIC.sub("", plain)


def _matches(row: Mapping[str, str], name: str, email: str) -> bool:
    is_contact = row.get("contact_email", "").casefold() == email
    return is_contact or (bool(name) and any(name in company_name for company_name in _names(row)))


def _names(row: Mapping[str, str]) -> list[str]:
    return [comparable(row[field]) for field in NAME_FIELDS if field in row]


def _id_matches(reader: Reader, text: str) -> list[IdMatch]:
    """Everything with this id; a merchant's id matches the merchant's companies."""
    lookups: tuple[tuple[str, Any], ...] = (
        ("connection", reader.connection),
        ("company", reader.company),
        ("event", reader.event),
        ("notification", reader.notification),
        ("subscriber", get_container().subscribers.find),
    )
    matches = [
        IdMatch(kind, text, copy.KINDS[kind]) for kind, look_up in lookups if look_up(text) is not None
    ]
    companies = reader.list_companies(merchant_id=text, limit=MAX_RESULTS, cursor=None).items
    matches += [
        IdMatch("company", row["id"], copy.company_of_merchant(is_deleted="deleted_at" in row))
        for row in companies
        if row["id"] != text
    ]
    return sorted(matches, key=lambda match: list(copy.KINDS).index(match.kind))
