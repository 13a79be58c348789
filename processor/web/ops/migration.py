"""The page about the move from legacy alerts to current messages."""

from flask import Response

from processor.resources import migration
from processor.web.dependencies import get_container
from processor.web.ops import condition_actions, rendering
from processor.web.ops.rendering import blueprint

DAYS = 30


@blueprint.get("/migration")
def migration_page() -> Response:
    """What came through which generation, and whether legacy can be switched off."""
    rendering.query_of()
    container = get_container()
    report = migration.report(
        container.reader, container.clock(), days=DAYS, max_messages=migration.MAX_ON_PAGE
    )
    can_register = "webhooks_missing" in condition_actions.available(container)
    return rendering.page("migration", report=report, can_register=can_register)
