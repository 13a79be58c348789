"""``/``: where to go from here, for whoever opens the address of the service."""

from flask import Blueprint, Response, jsonify

blueprint = Blueprint("home", __name__)


@blueprint.get("/")
def home() -> Response:
    """What is where; nothing that needs a key."""
    return jsonify(
        service="codat-processor",
        webhooks="/webhooks/codat",
        api="/v1",
        operators="/ops",
        openapi="/openapi.json",
        health="/healthz",
        readiness="/readyz",
        metrics="/metrics",
    )
