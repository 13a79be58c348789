"""Search for anything by id or a part of one, and for companies by name or contact."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Response, redirect
from marshmallow import fields
from redis import Redis

from processor.alerts.replay import find_message
from processor.resources.company_search import MAX_RESULTS, companies_named
from processor.store import failures, part_search
from processor.store.queries import Reader
from processor.web.dependencies import get_container
from processor.web.ops import copy, rendering
from processor.web.ops.rendering import blueprint
from processor.web.v1.parameters import LONGEST_ID, NoParameters


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
    parts: list[IdMatch] = []
    if not matches:
        failure = failures.find(container.redis, text)
        erased_at = container.reader.erased_at(text)
        if is_usable and not erased_at and not failure:
            name_matches = companies_named(container.reader, text)
            parts = _partial_matches(container.redis, text)
    return rendering.page(
        "search",
        text=text,
        matches=matches,
        erased_at=erased_at,
        name_matches=name_matches,
        parts=parts,
        shortest_part=part_search.SHORTEST,
        most_scanned=part_search.MOST_SCANNED,
        max_results=MAX_RESULTS,
        failure=failure,
    )


def _partial_matches(client: "Redis[Any]", text: str) -> list[IdMatch]:
    """Objects whose id contains ``text``, as it is or in lower case."""
    parts = dict.fromkeys((text, text.lower()))
    places = [place for part in parts for place in part_search.find(client, part)]
    return [IdMatch(kind, id_, copy.KINDS[kind]) for kind, id_ in dict.fromkeys(places)]


def _id_matches(reader: Reader, text: str) -> list[IdMatch]:
    """Everything with this id; a merchant's id matches the merchant's companies."""
    lookups: tuple[tuple[str, Any], ...] = (
        ("connection", reader.connection),
        ("company", reader.company),
        ("event", partial(find_message, reader)),
        ("notification", reader.notification),
        ("subscriber", get_container().subscribers.find),
    )
    matches = [
        IdMatch(kind, text, copy.KINDS[kind]) for kind, look_up in lookups if look_up(text) is not None
    ]
    companies = reader.list_companies(merchant_id=text, limit=MAX_RESULTS, cursor=None).items
    matches += [
        IdMatch(
            "company", row["id"], "a company of this merchant" + (", deleted" if "deleted_at" in row else "")
        )
        for row in companies
        if row["id"] != text
    ]
    return sorted(matches, key=lambda match: list(copy.KINDS).index(match.kind))
