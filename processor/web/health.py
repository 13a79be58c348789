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
    if not conditions:
        return jsonify(status="ok")
    if not auth.may_see_internals():
        conditions = [condition for condition in conditions if condition.severity is Severity.CRITICAL]
        response = jsonify(status="unavailable" if conditions else "ok")
        if conditions:
            response.status_code = 503
            response.headers.update(StoreUnavailable().headers())
        return response
    reasons = [condition.sentence for condition in conditions if condition.severity is Severity.CRITICAL]
    objects = [serializers.condition_row(condition) for condition in conditions]
    if not reasons:
        warnings = [condition.sentence for condition in conditions]
        return jsonify(status="ok", warnings=warnings, conditions=objects)
    response = jsonify(status="unavailable", reasons=reasons, conditions=objects)
    response.status_code = 503
    response.headers.update(StoreUnavailable().headers())
    return response
