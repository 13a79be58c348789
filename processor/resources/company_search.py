"""Companies by name, or by the address of their contact."""

import contextlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from processor.codat.names import without_accents
from processor.delivery.email_addresses import with_ascii_domain
from processor.store.queries import Reader

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


def names_of(reader: Reader, company_ids: Iterable[str | None]) -> dict[str, str]:
    """The names of those of the companies that have one, by id."""
    rows = reader.companies(list(dict.fromkeys(filter(None, company_ids))))
    names = {row["id"]: row.get("given_name") or row.get("name") for row in rows}
    return {id_: name for id_, name in names.items() if name}


def companies_of(reader: Reader, text: str | None) -> list[str] | None:
    """The ids of the companies of a merchant, or of this id, else of those with such a name."""
    if text is None:
        return None
    ids = reader.company_ids(text)
    if not ids and reader.company(text) is not None:
        ids = [text]
    return ids or [row["id"] for row in companies_named(reader, text).rows]


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
