"""``/receivers/{token}``: the deliveries of one subscriber, for the owner of that receiver.

The link is signed, names one subscriber and expires. It shows the attempts of that subscriber's deliveries,
and lets its owner test, rotate the secret and send a notification again: nothing else.
"""

from functools import partial
from itertools import islice
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for

from processor.access.audit import ActorKind
from processor.delivery import serializers
from processor.errors import Invalid, NotFound, ProcessorError
from processor.journey.errors import TokenExpired, TokenInvalid
from processor.resources import trends
from processor.store.cursors import all_items
from processor.web import audit_hooks, csrf, html_errors
from processor.web.credential_throttle import Credential, throttled
from processor.web.dependencies import get_container
from processor.web.ops import copy, rendering, sparkline
from processor.web.redirects import see_other

blueprint = Blueprint("receivers", __name__, url_prefix="/receivers")

MOST_SHOWN, PAGE = 30, 100
MOST_READ = 1_000
"""Notifications of each status that are read, also of other subscribers, until enough are found."""

MAX_FORM_BYTES = 4_096
ENDED = "This link is not valid any more. Ask the service for a new one."
_STATUSES = ("pending", "dead", "delivered")


@blueprint.get("/<token>")
def portal(token: str) -> Response:
    """The deliveries of one subscriber."""
    return _page(token, get_container().subscriber_service.show(_subscriber_id(token)))


@blueprint.post("/<token>")
def act(token: str) -> Response:
    """Test, rotate the secret, or send a notification of this subscriber again."""
    request.max_content_length = MAX_FORM_BYTES
    subscriber_id = _subscriber_id(token)
    csrf.check_form(token)
    service, action = get_container().subscriber_service, request.form.get("action", "")
    rotated: dict[str, Any] | None = None
    match action:
        case "test":
            service.send_test(subscriber_id)
        case "rotate":
            rotated = service.rotate(subscriber_id)
        case "send_again":
            _send_again(subscriber_id, request.form.get("notification_id", ""))
        case _:
            raise Invalid("The form has to say what is to be done.")
    audit_hooks.record(ActorKind.RECEIVER, "receiver portal", f"portal {action}", target=subscriber_id)
    if rotated is not None:
        return _page(token, rotated)
    return see_other(url_for("receivers.portal", token=token))


def _subscriber_id(token: str) -> str:
    """The subscriber that the link names. Raises ``NotFound`` for a link that is not valid any more."""
    container = get_container()
    with throttled(Credential.LINK, NotFound):
        try:
            claims = container.portal_tokens.claims(token)
        except (TokenInvalid, TokenExpired) as error:
            raise NotFound(ENDED) from error
    subscriber = container.subscribers.get(claims.company_id)
    if subscriber.portal_generation != claims.generation:
        raise NotFound(ENDED)
    return subscriber.id


def _send_again(subscriber_id: str, notification_id: str) -> None:
    """Raises ``NotFound`` for a notification that this subscriber was not to get."""
    container = get_container()
    row = container.reader.notification(notification_id)
    if row is None or f"{subscriber_id}:status" not in row["deliveries"]:
        raise NotFound("There is no such notification.")
    container.redelivery_service.redeliver(notification_id, subscriber_id=subscriber_id)


def _deliveries(subscriber_id: str) -> list[dict[str, Any]]:
    """The newest deliveries of this subscriber, with their attempts and nothing about merchants."""
    shown: dict[str, dict[str, Any]] = {}
    for status in _STATUSES:
        rows = all_items(partial(get_container().reader.list_notifications, status=status, limit=PAGE))
        count = 0
        for row in islice(rows, MOST_READ):
            if count == MOST_SHOWN:
                break
            for delivery in serializers.deliveries(row["deliveries"]):
                if delivery["id"] == subscriber_id:
                    body, count = row["body"], count + 1
                    shown[body["id"]] = {
                        **delivery,
                        "id": body["id"],
                        "type": body["type"],
                        "timestamp": body["timestamp"],
                    }
    return sorted(shown.values(), key=lambda row: str(row["timestamp"]), reverse=True)[:MOST_SHOWN]


def _page(token: str, subscriber: dict[str, Any]) -> Response:
    container = get_container()
    now, id_ = container.clock(), subscriber["id"]
    html = render_template(
        "ops/portal.html",
        subscriber=subscriber,
        deliveries=_deliveries(id_),
        trends=trends.of_lane(container.redis, id_, now),
        spark=sparkline,
        copy=copy,
        now=now,
        csrf_token=csrf.token_of(token),
    )
    return csrf.set_cookie(rendering.html_response(html), blueprint.url_prefix or "/")


def _error_page(error: ProcessorError) -> Response:
    html = render_template("ops/portal_problem.html", error=error)
    response = rendering.html_response(html, int(error.status))
    response.headers.update(error.headers())
    return response


html_errors.register(blueprint, _error_page)
