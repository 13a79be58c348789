"""The pages for operators: is it broken, since when, what to do, and what happened to this merchant?"""

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
"""One module for each subject; each adds its pages to the blueprint."""


def register(app: Flask) -> None:
    """Let ``app`` show the pages to whoever knows OPERATOR_PASSWORD."""
    blueprint = Blueprint(auth.NAME, __name__, url_prefix=auth.PREFIX)
    rendering.guard(blueprint)
    for subject in SUBJECTS:
        subject.add_to(blueprint)
    blueprint.add_url_rule("/<path:rest>", view_func=nowhere)
    auth.register(app)
    app.register_blueprint(blueprint)


def nowhere(rest: str) -> Response:
    """Say that there is no such page."""
    del rest
    raise NotFound("There is no such page.")
