"""The operators' pages: what is wrong, since when, what to do, and what happened to a merchant."""

from flask import Blueprint, Flask, Response

from processor.errors import NotFound
from processor.web.ops import (
    auth,
    companies,
    connections,
    events,
    notifications,
    overview,
    rendering,
    search,
    subscribers,
)

SUBJECTS = (overview, search, connections, companies, events, notifications, subscribers)


def register(app: Flask) -> None:
    """Add the pages, behind OPERATOR_PASSWORD, to ``app``."""
    blueprint = Blueprint(auth.NAME, __name__, url_prefix=auth.PREFIX)
    rendering.register_handlers(blueprint)
    for subject in SUBJECTS:
        subject.add_to(blueprint)
    blueprint.add_url_rule("/<path:_rest>", view_func=unknown_page)
    auth.register(app)
    app.register_blueprint(blueprint)


def unknown_page(_rest: str) -> Response:
    """Raise :class:`NotFound` for an unknown page."""
    raise NotFound("There is no such page.")
