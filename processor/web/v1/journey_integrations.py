"""The platforms that can be connected."""

import base64
import binascii
import dataclasses
import json
from typing import Any

from processor.errors import Invalid
from processor.journey.catalogue import sort_key
from processor.resources import serializers
from processor.web.dependencies import get_container
from processor.web.v1.calls import Calls
from processor.web.v1.fields import page_of
from processor.web.v1.journey_schemas import IntegrationQuery, IntegrationSchema

calls = Calls("integrations", "Platforms that can be connected")


@calls.get("/integrations", page_of(IntegrationSchema), query=IntegrationQuery)
def list_integrations(limit: int, cursor: str | None = None, **query: Any) -> dict[str, Any]:
    """Enabled platforms, by source type and name

    Codat is asked at most once a day; what it said last is served while it is down.
    """
    found = get_container().journey.integrations(**query)
    if cursor is not None:
        before = _place(cursor)
        found = [one for one in found if sort_key(one) > before]
    items = [{**dataclasses.asdict(one), "id": one.key} for one in found[:limit]]
    more = _cursor(sort_key(found[limit - 1])) if len(found) > limit else None
    return serializers.page(items, more)


def _cursor(place: tuple[int, str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _place(cursor: str) -> tuple[int, str, str]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        kind, name, key = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        return int(kind), str(name), str(key)
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error) as error:
        raise Invalid(errors={"cursor": ["This is no cursor of this list."]}) from error
