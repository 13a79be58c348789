"""``/``: where to go from here, for whoever opens the address of the service."""

from flask import Blueprint, Response, jsonify

from processor.web.merchant import link_session

blueprint = Blueprint("home", __name__)


@blueprint.get("/")
def home() -> Response:
    """What is where; nothing that needs a key. A page for browsers, JSON for all others."""
    if link_session.wants_page():
        answer = link_session.page(None, "home")
    else:
        answer = jsonify(
            service="codat-processor",
            webhooks="/webhooks/codat",
            api="/v1",
            operators="/ops",
            openapi="/openapi.json",
            problems="/problems",
            health="/healthz",
            readiness="/readyz",
            metrics="/metrics",
        )
    answer.vary.add("Accept")
    return answer
