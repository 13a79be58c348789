"""Who is told by signed webhooks, how their lanes stand, and everything that can be done with them."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request, url_for

from processor.delivery.naming import without_query
from processor.delivery.rules import TYPES
from processor.errors import Invalid
from processor.web.context import desk
from processor.web.ops import door, naming, sheets
from processor.web.v1.parameters import PageQuery


def add_to(blueprint: Blueprint) -> None:
    """Add these pages."""
    blueprint.add_url_rule("/subscribers", view_func=subscribers)
    blueprint.add_url_rule("/subscribers", "add_subscriber", add_subscriber, methods=["POST"])
    blueprint.add_url_rule("/subscribers/<id_>", view_func=subscriber)
    blueprint.add_url_rule("/subscribers/<id_>", "change_subscriber", change_subscriber, methods=["POST"])


def subscribers() -> Response:
    """Subscribers, newest first."""
    return _shown(desk().list(**sheets.query_of(PageQuery)))


def subscriber(id_: str) -> Response:
    """One subscriber."""
    sheets.query_of()
    return _alone(desk().show(sheets.wanted(id_)))


def add_subscriber() -> Response:
    """Add a subscriber and show its secret, which stands in this answer alone."""
    door.check_form()
    made = desk().add(
        url=request.form.get("url", "").strip(),
        description=request.form.get("description", "").strip(),
        types=request.form.getlist("types"),
    )
    return _alone(made)


def change_subscriber(id_: str) -> Response:
    """Enable, disable, test or remove a subscriber; or give it a new secret, shown in this answer alone."""
    door.check_form()
    id_, action = sheets.wanted(id_), request.form.get("action", "")
    here = sheets.address("subscriber", id_)
    match action:
        case "enable" | "disable":
            desk().change(id_, enabled=action == "enable")
            return sheets.back(here, f"{action}d")
        case "test":
            desk().test(id_)
            return sheets.back(here, "tested")
        case "rotate":
            return _alone(desk().rotate(id_))
        case "remove":
            desk().remove(id_)
            return sheets.back(url_for(f"{door.NAME}.subscribers"), "removed")
    raise Invalid("The form has to say what is to be done with the subscriber.")


def _alone(found: Mapping[str, Any]) -> Response:
    return _shown({"items": [found], "next_cursor": None}, alone=found)


def _shown(page: Mapping[str, Any], **more: Any) -> Response:
    return sheets.page(
        "subscribers",
        page=page,
        names=naming.of_subscribers(),
        types=TYPES,
        without_query=without_query,
        **more,
    )
