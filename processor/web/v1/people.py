"""Calls about the people of a company, each with a link of their own."""

from http import HTTPStatus
from typing import Any

from flask import request

from processor.journey import people
from processor.journey.company_fields import LONGEST_EMAIL
from processor.resources import queries
from processor.web.dependencies import get_container
from processor.web.v1.bodies import RequestBodySchema
from processor.web.v1.calls import Calls
from processor.web.v1.fields import ResponseSchema, moment, optional, page_of, required, text

calls = Calls(
    "people",
    "People of a company, each with a link of their own",
    ids={"company_id": "A company's id at Codat.", "person_id": "The person's id."},
)


class PersonBody(RequestBodySchema):
    """A person of a company."""

    email = required("Where an expired link is replaced.", LONGEST_EMAIL, format="email")
    name = optional("What they are called; kept here alone.", people.LONGEST_NAME)


class PersonSchema(ResponseSchema):
    """A person of a company."""

    id = text("The person's id.")
    at = moment("When they were added.")
    company_id = text("The company.")
    name = text("What they are called.", null=True)
    email = text("Where an expired link is replaced.")


class PersonWithLinkSchema(PersonSchema):
    """A person of a company with a fresh link."""

    connect_url = text("Their page; works for 24 hours, and until they are removed.", format="uri")


@calls.get("/companies/<company_id>/people", page_of(PersonSchema), errors=(HTTPStatus.CONFLICT,))
def list_people(company_id: str) -> dict[str, Any]:
    """The people of a company, newest first

    At most 20, beside its contact.
    """
    queries.company(get_container().reader, company_id)
    return {"items": get_container().journey.people.of_company(company_id), "next_cursor": None}


@calls.post(
    "/companies/<company_id>/people",
    PersonWithLinkSchema,
    status=HTTPStatus.CREATED,
    or_status=HTTPStatus.OK,
    body=PersonBody,
    errors=(HTTPStatus.CONFLICT,),
)
def add_person(body: dict[str, Any], company_id: str) -> tuple[dict[str, Any], int]:
    """Add a person to a company

    An accountant, say, who holds the login: `connect_url` is a link of their own, which ends alone when they
    are removed. It leads to this company, and not to others of its `group`. Repeated with the same `email`
    it answers with the same person and 200, with a fresh link.
    """
    journey = get_container().journey
    journey.company(company_id)
    person, is_new = journey.people.add(company_id, **body)
    link = journey.links.connect_url(company_id, root=request.url_root, holder=person["id"])
    return {**person, "connect_url": link}, HTTPStatus.CREATED if is_new else HTTPStatus.OK


@calls.delete("/companies/<company_id>/people/<person_id>")
def remove_person(company_id: str, person_id: str) -> None:
    """Remove a person from a company

    Their links end at once, also those in e-mails and on open pages; those of others stay.
    """
    get_container().journey.people.remove(company_id, person_id)
