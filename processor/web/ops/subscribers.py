"""Who is told by signed webhooks, and how their lanes stand."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request, url_for

from processor.errors import Invalid
from processor.web.context import desk
from processor.web.ops import door, naming, sheets
from processor.web.v1.parameters import PageQuery

ACTIONS = {"enable": True, "disable": False}


def add_to(blueprint: Blueprint) -> None:
    """Add these pages."""
    blueprint.add_url_rule("/subscribers", view_func=subscribers)
    blueprint.add_url_rule("/subscribers/<id_>", view_func=subscriber)
    blueprint.add_url_rule("/subscribers/<id_>", "switch", switch, methods=["POST"])


def subscribers() -> Response:
    """Subscribers, newest first."""
    return _shown(desk().list(**sheets.query_of(PageQuery)))


def subscriber(id_: str) -> Response:
    """One subscriber."""
    found = desk().show(sheets.wanted(id_))
    return _shown({"items": [found], "next_cursor": None}, alone=found)


def switch(id_: str) -> Response:
    """Enable or disable a subscriber."""
    door.check_form()
    action = request.form.get("action", "")
    if action not in ACTIONS:
        raise Invalid("The form has to say whether to enable or to disable.")
    desk().change(sheets.wanted(id_), enabled=ACTIONS[action])
    return sheets.back(url_for(f"{door.NAME}.subscribers"), f"{action}d")


def _shown(page: Mapping[str, Any], **more: Any) -> Response:
    return sheets.page("subscribers", page=page, names=naming.of_subscribers(), **more)
