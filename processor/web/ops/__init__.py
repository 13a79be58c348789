"""The operators' pages: what is wrong, since when, what to do, and what happened to a merchant."""

from flask import Flask, Response

from processor.errors import NotFound
from processor.web.ops import (
    access,
    audit,
    auth,
    companies,
    condition_actions,
    connections,
    events,
    funnel,
    migration,
    notifications,
    overview,
    rendering,
    search,
    signing_in,
    subscribers,
)

SUBJECTS = (
    overview,
    condition_actions,
    search,
    connections,
    companies,
    events,
    notifications,
    subscribers,
    migration,
    funnel,
    signing_in,
    audit,
    access,
)
"""The modules that add their views to the blueprint."""


def register(app: Flask) -> None:
    """Add the pages, for operators alone, to ``app``."""
    auth.register(app)
    app.register_blueprint(rendering.blueprint)


@rendering.blueprint.get("/<path:_rest>")
def unknown_page(_rest: str) -> Response:
    """Raise :class:`NotFound` for an unknown page."""
    raise NotFound("There is no such page.")
