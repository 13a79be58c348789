"""Lists as Codat gives them: filtered by its query language, ordered and cut into pages.

https://docs.codat.io/using-the-api/querying, /ordering-results and /paging
"""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from processor.simulator.entities import SimulatorRefusal
from processor.simulator.platforms import JsonObject

_TERM = re.compile(r"([A-Za-z_][\w.\-\[\]]*+)\s*+(!=|=|~)(.*)", re.DOTALL)
_DEFAULT_PAGE_SIZE, _MAX_PAGE_SIZE = 100, 5_000


def matching(
    rows: Sequence[JsonObject], query: str | None, properties: Sequence[str], kind: str
) -> list[JsonObject]:
    """The rows for which every term of ``query`` holds; ``None`` or blank: all of them.

    Terms are ``name=value``, ``name!=value`` or ``name~value`` (contains), joined by ``&&``. ``properties``
    are the names that may be asked for; one that ends with a dot stands for all names that begin with it.
    Refused (400) where the query cannot be read or names another property of the ``kind``.
    """
    if query is None or not query.strip():
        return list(rows)
    matches = list(rows)
    for term in query.split("&&"):
        match = _TERM.fullmatch(term.strip())
        if match is None:
            raise SimulatorRefusal(400, "The query cannot be parsed", "ClientsApi")
        name, operator, value = match.groups()
        if name.endswith("]"):
            name = name[:-1].replace("[", ".", 1)
        value = value.strip()
        if not any(name == known or (known.endswith(".") and name.startswith(known)) for known in properties):
            raise SimulatorRefusal(
                400, f"The query asks for {name}, which is no property of {kind}", "ClientsApi"
            )
        matches = [row for row in matches if _holds(row, name, operator, value)]
    return matches


def page_of(
    rows: Sequence[JsonObject], arguments: Mapping[str, str], path: str, sortable: Sequence[str]
) -> JsonObject:
    """One page of the rows with what Codat says about it; refused (400) for arguments that make no sense."""
    number = _positive(arguments, "page", 1)
    size = min(_positive(arguments, "pageSize", _DEFAULT_PAGE_SIZE), _MAX_PAGE_SIZE)
    ordered = list(rows)
    if order := arguments.get("orderBy", "").strip():
        name = order.removeprefix("-")
        if name not in sortable:
            raise SimulatorRefusal(400, f"The list cannot be ordered by {name}", "ClientsApi")
        ordered.sort(key=lambda row: str(row.get(name, "")), reverse=order.startswith("-"))

    def link(page: int) -> JsonObject:
        kept = {name: arguments[name] for name in ("query", "orderBy") if name in arguments}
        return {"href": f"{path}?{urlencode({'page': page, 'pageSize': size, **kept})}"}

    links: JsonObject = {"self": {"href": path}, "current": link(number)}
    if number * size < len(ordered):
        links["next"] = link(number + 1)
    if number > 1:
        links["previous"] = link(number - 1)
    return {
        "results": ordered[(number - 1) * size : number * size],
        "pageNumber": number,
        "pageSize": size,
        "totalResults": len(ordered),
        "_links": links,
    }


def _holds(row: JsonObject, name: str, operator: str, value: str) -> bool:
    head, _, rest = name.partition(".")
    actual = row.get(head)
    if rest:
        actual = actual.get(rest) if isinstance(actual, Mapping) else None
    if operator == "~":
        return isinstance(actual, str) and value.casefold() in actual.casefold()
    if isinstance(actual, bool):
        is_equal = value.casefold() == str(actual).casefold()
    else:
        is_equal = actual is not None and str(actual) == value
    return is_equal if operator == "=" else not is_equal


def _positive(arguments: Mapping[str, str], name: str, default: int) -> int:
    given = arguments.get(name)
    if given is None:
        return default
    if not (given.isascii() and given.isdigit() and len(given) < 10 and int(given) > 0):
        raise SimulatorRefusal(400, f"{name} is not a positive number", "ClientsApi")
    return int(given)
