"""``/``: an overview of the service's addresses."""

from flask import Blueprint, Response, jsonify

from processor.web import html_errors
from processor.web.merchant import pages

blueprint = Blueprint("home", __name__)


@blueprint.get("/")
def home() -> Response:
    """The public addresses: a page for browsers, JSON for other clients."""
    if html_errors.wants_page():
        response = pages.page(None, "home")
    else:
        response = jsonify(
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
    response.vary.add("Accept")
    return response
