"""``/healthz`` and ``/readyz``: liveness, and whether a message could be stored now."""

from flask import Blueprint, Response, jsonify

from processor.conditions.model import Severity
from processor.errors import StoreUnavailable
from processor.resources import serializers
from processor.web import dependencies
from processor.web.v1 import auth

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """200 while the process answers; nothing is checked."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def readyz() -> Response:
    """503 with reasons when messages cannot be stored; otherwise 200, with warnings for other problems."""
    conditions = [
        condition for condition in dependencies.conditions() if condition.severity is not Severity.INFO
    ]
    critical = [condition.sentence for condition in conditions if condition.severity is Severity.CRITICAL]
    body: dict[str, object] = {"status": "unavailable" if critical else "ok"}
    if conditions and auth.may_see_internals():
        if critical:
            body["reasons"] = critical
        else:
            body["warnings"] = [condition.sentence for condition in conditions]
        body["conditions"] = [serializers.condition_row(condition) for condition in conditions]
    response = jsonify(body)
    if critical:
        unavailable = StoreUnavailable()
        response.status_code = unavailable.status
        response.headers.update(unavailable.headers())
    return response
