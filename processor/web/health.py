"""``/healthz`` and ``/readyz``: is the process alive, and could it keep a message now?"""

from flask import Blueprint, Response, jsonify

from processor.conditions.model import Severity
from processor.errors import StoreUnavailable
from processor.resources import serializers
from processor.web.dependencies import conditions

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """The process answers; nothing else is looked at."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def readyz() -> Response:
    """503 with reasons when a message could not be kept; 200 with warnings when something else is wrong."""
    found = conditions()
    wrong = [one for one in found if one.severity is not Severity.INFO]
    reasons = [one.sentence for one in wrong if one.severity is Severity.CRITICAL]
    if not wrong:
        return jsonify(status="ok")
    objects = [serializers.condition_row(one) for one in wrong]
    if reasons:
        answer = jsonify(status="unavailable", reasons=reasons, conditions=objects)
        answer.status_code = 503
        answer.headers.update(StoreUnavailable().headers())
        return answer
    return jsonify(status="ok", warnings=[one.sentence for one in wrong], conditions=objects)
