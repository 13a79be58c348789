"""A company, its connections, and the link with which its people go on."""

from typing import Any

from flask import Blueprint, Response, request

from processor.codat.json_values import folded
from processor.resources import queries
from processor.web.dependencies import get_container
from processor.web.ops import auth, rendering
from processor.web.v1.parameters import PageQuery

EVENTS_SHOWN = 20


def add_to(blueprint: Blueprint) -> None:
    """Add these pages."""
    blueprint.add_url_rule("/companies/<id_>", view_func=company)
    blueprint.add_url_rule("/companies/<id_>", "make_link", make_link, methods=["POST"])


def company(id_: str) -> Response:
    """One company."""
    return _shown(folded(rendering.wanted(id_)))


def make_link(id_: str) -> Response:
    """The same with a fresh link to the journey. It changes nothing, and no address ever holds it."""
    auth.check_form()
    id_ = folded(rendering.wanted(id_))
    found = get_container().journey.company(id_, root=request.url_root)
    return _shown(id_, connect_url=found.connect_url)


def _shown(id_: str, **more: Any) -> Response:
    reader = get_container().reader
    found = queries.company(reader, id_)
    page = queries.company_connections(reader, id_, **rendering.query_of(PageQuery))
    row = reader.company(id_) or {}
    events = queries.events(reader, company_id=id_, limit=EVENTS_SHOWN)
    return rendering.page(
        "company",
        company=found,
        given_name=row.get("given_name"),
        contact=row.get("contact_email"),
        page=page,
        events=events,
        **more,
    )
