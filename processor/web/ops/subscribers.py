"""The pages of subscribers: their lanes, secrets, test messages."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Response, request, url_for

from processor.delivery.rules import SUBSCRIBABLE_TYPES
from processor.delivery.subscribers import without_query
from processor.errors import Invalid
from processor.resources import trends
from processor.resources.failed_attempts import failed_attempts
from processor.web.dependencies import get_container
from processor.web.ops import condition_actions, csv_export, rendering, sparkline
from processor.web.ops.rendering import blueprint
from processor.web.v1.parameters import PageQuery

PORTAL_DAYS = 7
"""How long a link to a receiver's own page works that is made here."""

COLUMNS: tuple[csv_export.Column, ...] = (
    "id",
    ("url", lambda subscriber: without_query(subscriber["url"])),
    *("description", "types", "status", "status_since", "waiting", "delivered", "dead"),
    *("failures", "failing_since", "rate_per_s", "ordered", "created_at"),
)


@blueprint.get("/subscribers")
def subscribers() -> Response:
    """Subscribers, newest first."""
    query, fetch = rendering.query_of(PageQuery), get_container().subscriber_service.list
    if csv_export.is_wanted():
        return csv_export.response("subscribers", COLUMNS, fetch, query)
    return _list_page(fetch(**query))


@blueprint.get("/subscribers/<id_>")
def subscriber(id_: str) -> Response:
    """One subscriber."""
    rendering.query_of()
    return _subscriber_page(get_container().subscriber_service.show(id_))


@blueprint.post("/subscribers")
def add_subscriber() -> Response:
    """Add a subscriber and show its secret, in this response only."""
    return _subscriber_page(get_container().subscriber_service.add(**_fields()))


@blueprint.post("/subscribers/<id_>")
def change_subscriber(id_: str) -> Response:
    """Change, test or remove a subscriber; its secret or link is shown in this response only."""
    action = request.form.get("action", "")
    here = rendering.address("subscriber", id_)
    match action:
        case "enable" | "disable":
            get_container().subscriber_service.change(id_, enabled=action == "enable")
            return rendering.back(here, f"{action}d")
        case "test":
            get_container().subscriber_service.send_test(id_)
            return rendering.back(here, "tested")
        case "send_missed":
            since = _moment(request.form.get("since", ""))
            missed = get_container().redelivery_service.redeliver_since(
                since, subscriber_id=id_, undelivered=True
            )
            return rendering.back(here, "sent-again", count=condition_actions.count_sent(missed))
        case "edit":
            get_container().subscriber_service.change(id_, **_fields())
            return rendering.back(here, "edited")
        case "portal_link":
            root = get_container().settings.public_url or request.url_root
            url = get_container().portal_url(id_, days=PORTAL_DAYS, root=root)
            return _subscriber_page(get_container().subscriber_service.show(id_), portal_url=url)
        case "revoke_portal":
            get_container().subscribers.revoke_portal(id_)
            return rendering.back(here, "portal-revoked")
        case "rotate":
            return _subscriber_page(get_container().subscriber_service.rotate(id_))
        case "remove":
            get_container().subscriber_service.remove(id_)
            return rendering.back(url_for(".subscribers"), "removed")
    raise Invalid("The form has to say what is to be done with the subscriber.")


def _fields() -> dict[str, Any]:
    """The fields of the form of a subscriber. Raises ``Invalid``."""
    form = request.form
    rate = form.get("rate_per_s", "").strip()
    return {
        "url": form.get("url", "").strip(),
        "description": form.get("description", "").strip(),
        "types": form.getlist("types"),
        "rate_per_s": _number(rate) if rate else None,
        "ordered": "ordered" in form,
        "traceparent": "traceparent" in form,
    }


def _moment(text: str) -> datetime:
    """The time that was typed, as UTC where it names no zone. Raises ``Invalid``."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Invalid(errors={"since": ["Not a time, such as 2026-11-22T15:00."]}) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _number(text: str) -> float:
    """The number that was typed. Raises ``Invalid``."""
    try:
        return float(text)
    except ValueError:
        raise Invalid(errors={"rate_per_s": ["Not a number."]}) from None


def _subscriber_page(subscriber: Mapping[str, Any], **values: Any) -> Response:
    container, id_ = get_container(), subscriber["id"]
    now = container.clock()
    return _list_page(
        {"items": [subscriber], "next_cursor": None},
        single=subscriber,
        trends=trends.of_lane(container.redis, id_, now),
        failures=failed_attempts(container.reader, id_),
        spark=sparkline,
        portal_days=PORTAL_DAYS,
        **values,
    )


def _list_page(page: Mapping[str, Any], **values: Any) -> Response:
    return rendering.page(
        "subscribers",
        page=page,
        names=rendering.receiver_names(),
        types=SUBSCRIBABLE_TYPES,
        without_query=without_query,
        **values,
    )
