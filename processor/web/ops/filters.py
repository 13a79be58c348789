"""What the lists can be filtered by, beyond what the API takes."""

from collections.abc import Iterable, Mapping
from typing import Any

from marshmallow import Schema

from processor.resources.company_search import companies_of, names_of
from processor.web.dependencies import get_container
from processor.web.v1.parameters import ConnectionQuery, EventQuery, NotificationQuery, id_filter

MERCHANT = "Only those of the merchant or company with this id, or of companies with such a name."


def _with_merchant(query: type[Schema]) -> type[Schema]:
    return query.from_dict({"merchant": id_filter(MERCHANT)}, name=query.__name__)


ConnectionFilter = _with_merchant(ConnectionQuery)
EventFilter = _with_merchant(EventQuery)
NotificationFilter = _with_merchant(NotificationQuery)


def with_companies(query: Mapping[str, Any]) -> dict[str, Any]:
    """The filters with the ids of the companies that ``merchant`` means, compared once for all pages."""
    merchant = query.get("merchant")
    others = {name: value for name, value in query.items() if name != "merchant"}
    if merchant is None:
        return others
    return {**others, "company_ids": companies_of(get_container().reader, merchant)}


def company_names(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The names of the companies of a page's rows, by id. Raises ``redis.RedisError``."""
    return names_of(get_container().reader, (row.get("company_id") for row in rows))
