"""A company, its connections, and the link with which its people go on."""

from typing import Any

from flask import Blueprint, Response, request

from processor import lookups
from processor.lenient.values import folded
from processor.web.context import container
from processor.web.ops import door, sheets
from processor.web.v1.parameters import PageQuery

EVENTS_SHOWN = 20


def add_to(blueprint: Blueprint) -> None:
    """Add these pages."""
    blueprint.add_url_rule("/companies/<id_>", view_func=company)
    blueprint.add_url_rule("/companies/<id_>", "make_link", make_link, methods=["POST"])


def company(id_: str) -> Response:
    """One company."""
    return _shown(folded(sheets.wanted(id_)))


def make_link(id_: str) -> Response:
    """The same with a fresh link to the journey. It changes nothing, and no address ever holds it."""
    door.check_form()
    id_ = folded(sheets.wanted(id_))
    found = container().journey.company(id_, root=request.url_root)
    return _shown(id_, connect_url=found.connect_url)


def _shown(id_: str, **more: Any) -> Response:
    reader = container().reader
    found = lookups.company(reader, id_)
    page = lookups.company_connections(reader, id_, **sheets.query_of(PageQuery))
    row = reader.company(id_) or {}
    events = lookups.events(reader, company_id=id_, limit=EVENTS_SHOWN)
    return sheets.page(
        "company",
        company=found,
        given_name=row.get("given_name"),
        contact=row.get("contact_email"),
        page=page,
        events=events,
        **more,
    )
