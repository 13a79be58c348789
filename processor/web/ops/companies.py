"""The page of a company: its connections, its messages, and a link to its journey."""

from typing import Any

from flask import Response, request

from processor.codat.json_values import folded
from processor.errors import Conflict
from processor.journey.people import Person
from processor.resources import queries
from processor.store import reminder_schedule
from processor.store.records import REMINDERS_OFF_AT
from processor.web.dependencies import get_container
from processor.web.ops import rendering
from processor.web.ops.rendering import blueprint
from processor.web.v1.parameters import PageQuery

EVENTS_SHOWN = 20


@blueprint.get("/companies/<id_>")
def company(id_: str) -> Response:
    """One company."""
    return _company_page(folded(id_))


@blueprint.post("/companies/<id_>")
def make_link(id_: str) -> Response:
    """The page with a fresh link to the journey, which is never part of an address."""
    id_ = folded(id_)
    company = get_container().journey.company(id_, root=request.url_root)
    return _company_page(id_, connect_url=company.connect_url)


@blueprint.post("/companies/<id_>/links")
def revoke_links(id_: str) -> Response:
    """End all links of a company."""
    id_ = folded(id_)
    get_container().journey.links.revoke(id_)
    return rendering.back(rendering.address("company", id_), "links-revoked")


def _company_page(id_: str, **values: Any) -> Response:
    reader = get_container().reader
    company = queries.company(reader, id_)
    page = queries.company_connections(reader, id_, **rendering.query_of(PageQuery))
    row = reader.company(id_) or {}
    events = queries.events(reader, company_id=id_, limit=EVENTS_SHOWN)
    return rendering.page(
        "company",
        company=company,
        given_name=row.get("given_name"),
        contact=row.get("contact_email"),
        page=page,
        company_names={},
        events=events,
        group=row.get("group"),
        group_rows=get_container().journey.groups.others(id_, row.get("group")),
        people=_people(id_),
        reminders=reminder_schedule.of_company(get_container().redis, id_),
        reminders_setting=get_container().settings.reminders,
        reminders_off_at=row.get(REMINDERS_OFF_AT),
        requested=get_container().journey.platform_requests.of_company(id_),
        **values,
    )


def _people(id_: str) -> list[Person] | None:
    """The people of a company, newest first; ``None`` where no key of ENCRYPTION_KEYS decrypts them."""
    try:
        return get_container().journey.people.of_company(id_)
    except Conflict:
        return None
