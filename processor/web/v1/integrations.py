"""Calls about the platforms that can be connected."""

import dataclasses
from collections.abc import Container
from typing import Any

from marshmallow import fields
from marshmallow.validate import Length

from processor.codat.names import SOURCE_TYPES
from processor.journey.catalogue import sort_key
from processor.journey.offers import matching
from processor.resources import serializers
from processor.store import cursors
from processor.web.dependencies import get_container
from processor.web.v1.calls import Calls
from processor.web.v1.fields import ResponseSchema, flag, page_of, text
from processor.web.v1.parameters import PageQuery, codat_id_filter

calls = Calls("integrations", "Platforms that can be connected")


class IntegrationQuery(PageQuery):
    """A list of platforms."""

    source_type = fields.String(
        validate=Length(1, 20),
        metadata={"description": f"Only platforms of this type, in any case: {', '.join(SOURCE_TYPES)}."},
    )
    search = fields.String(
        validate=Length(0, 200),
        metadata={"description": "Only platforms whose names have all of these words."},
    )
    company_id = codat_id_filter("Only platforms that the pages of this company offer.")


class IntegrationSchema(ResponseSchema):
    """A platform that can be connected."""

    id = text("The same as `key`.")
    key = text("Codat's key of the platform.")
    name = text("Its full name.")
    source_type = text("`Accounting`, `Banking`, ...", null=True)
    logo_url = text("Its logo.", null=True)
    logo_alt = text("The logo in words.", null=True)
    square_logo_url = text("Its square logo.", null=True)
    button_url = text("Its own button; Intuit asks for it to be used.", null=True)
    button_hover_url = text("The button under the pointer.", null=True)
    is_beta = flag("Whether Codat calls it beta.")
    is_offline = flag("Whether software has to be installed for it.")
    is_recommended = flag("Whether the pages offer it first, as recommended.")
    integration_id = text("Codat's id of the integration.", null=True)


@calls.get("/integrations", page_of(IntegrationSchema), query=IntegrationQuery)
def list_integrations(
    limit: int,
    cursor: str | None = None,
    company_id: str | None = None,
    source_type: str | None = None,
    search: str | None = None,
) -> dict[str, Any]:
    """Enabled platforms, by source type and name

    Codat is asked at most once a day; what it said last is served while it is down.
    """
    container = get_container()
    recommended: Container[str] = container.settings.platforms_recommended
    if company_id is None:
        platforms = container.journey.offers.enabled(source_type=source_type, search=search)
    else:
        offer = container.journey.offers.of_company(container.journey.company(company_id))
        platforms, recommended = sorted(offer.platforms, key=sort_key), offer.recommended
        platforms = matching(platforms, source_type, search)
    if cursor is not None:
        last_key = cursors.decoded(cursor, lambda rank, name, key: (int(rank), str(name), str(key)))
        platforms = [platform for platform in platforms if sort_key(platform) > last_key]
    items = [
        {**dataclasses.asdict(platform), "id": platform.key, "is_recommended": platform.key in recommended}
        for platform in platforms[:limit]
    ]
    next_cursor = cursors.encoded(*sort_key(platforms[limit - 1])) if len(platforms) > limit else None
    return serializers.page(cursors.ResultPage(items, next_cursor))
