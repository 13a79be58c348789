"""The search: anything by its id, and companies by the name or the e-mail address that a caller gives."""

import contextlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, redirect
from marshmallow import fields

from processor.delivery.email_addresses import with_ascii_domain
from processor.store import failures
from processor.store.queries import Reader
from processor.web.dependencies import get_container
from processor.web.ops import rendering
from processor.web.v1.parameters import LONGEST_ID, NoParameters

MOST_COMPANIES = 50
"""So many companies of a merchant, or with a name, the search shows at most."""

LOOKED_THROUGH = 10_000
"""So many companies, the newest, are looked through for a name: a fraction of a second."""

AT_ONCE = 500
NAMES = ("name", "given_name")
"""Fields of a company that hold a name: as Codat has it, and as the merchant gave it."""

_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d"})
_NO_LETTER = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Named:
    """Companies with a name: ``looked_at`` of them were compared; ``more`` may have it, for we stopped."""

    rows: list[dict[str, str]]
    looked_at: int
    more: bool


class SearchQuery(NoParameters):
    """What is looked for; too long a text is found nowhere."""

    q = fields.String()


def add_to(blueprint: Blueprint) -> None:
    """Add this page."""
    blueprint.add_url_rule("/search", view_func=search)


def search() -> Response:
    """Lead to what has this id, show who has this name, or say that nothing has."""
    wanted = str(rendering.query_of(SearchQuery).get("q", "")).strip()
    reader = get_container().reader
    usable = bool(wanted) and len(wanted) <= LONGEST_ID
    found = _with_id(reader, wanted) if usable else []
    if len(found) == 1:
        kind, id_, _ = found[0]
        return redirect(rendering.address(kind, id_))  # type: ignore[return-value]
    failure = failures.find(get_container().redis, wanted) if not found else None
    erased_at = reader.erased_at(wanted) if not found else None
    named = with_name(reader, wanted) if usable and not found and not erased_at else None
    return rendering.page(
        "search",
        wanted=wanted,
        found=found,
        erased_at=erased_at,
        named=named,
        most=MOST_COMPANIES,
        failure=failure,
    )


def with_name(reader: Reader, wanted: str) -> Named:
    """Companies whose name has ``wanted`` in it, those that begin with it first, or whose contact it is.

    Only letters and digits are compared, without accents, in upper or lower case; e-mail addresses whole.
    """
    name, email = folded(wanted), wanted
    with contextlib.suppress(ValueError):  # not a domain: it is then nobody's
        email = with_ascii_domain(wanted)
    email = email.casefold()
    rows: list[dict[str, str]] = []
    looked_at, cursor = 0, None
    while looked_at < LOOKED_THROUGH and len(rows) < MOST_COMPANIES:
        page = reader.list_companies(limit=min(AT_ONCE, LOOKED_THROUGH - looked_at), cursor=cursor)
        looked_at += len(page.items)
        rows += [row for row in page.items if _fits(row, name, email)]
        cursor = page.next_cursor
        if cursor is None:
            break
    more = cursor is not None or len(rows) > MOST_COMPANIES
    rows.sort(key=lambda row: not any(one.startswith(name) for one in _names(row)))
    return Named(rows[:MOST_COMPANIES], looked_at, more)


def folded(text: str) -> str:
    """What is compared of a name: ``O'Brien & Söhne`` is ``obriensohne``."""
    if text.isascii():
        return _NO_LETTER.sub("", text.lower())
    apart = unicodedata.normalize("NFKD", text)
    plain = "".join(one for one in apart if not unicodedata.combining(one)).casefold()
    return _NO_LETTER.sub("", plain.translate(_LIGATURES))


def _fits(row: Mapping[str, str], name: str, email: str) -> bool:
    is_contact = row.get("contact_email", "").casefold() == email
    return is_contact or (bool(name) and any(name in one for one in _names(row)))


def _names(row: Mapping[str, str]) -> list[str]:
    return [folded(row[field]) for field in NAMES if field in row]


def _with_id(reader: Reader, wanted: str) -> list[tuple[str, str, str]]:
    """Everything that has this id: the view that shows it, its own id, and what it is."""
    finds: list[tuple[str, str, str]] = []
    if reader.connection(wanted) is not None:
        finds.append(("connection", wanted, "a connection"))
    if reader.company(wanted) is not None:
        finds.append(("company", wanted, "a company"))
    for row in reader.list_companies(merchant_id=wanted, limit=MOST_COMPANIES, cursor=None).items:
        if row["id"] != wanted:
            gone = ", deleted" if "deleted_at" in row else ""
            finds.append(("company", row["id"], f"a company of this merchant{gone}"))
    looks: tuple[tuple[str, Any, str], ...] = (
        ("event", reader.event, "an event"),
        ("notification", reader.notification, "a notification"),
        ("subscriber", get_container().subscribers.find, "a subscriber"),
    )
    return finds + [(kind, wanted, words) for kind, look, words in looks if look(wanted) is not None]
