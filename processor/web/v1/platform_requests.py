"""Calls about platforms that a company misses."""

from http import HTTPStatus
from typing import Any

from processor.journey import platform_requests
from processor.resources import queries
from processor.web.dependencies import get_container
from processor.web.v1.bodies import RequestBodySchema
from processor.web.v1.calls import Calls
from processor.web.v1.fields import ResponseSchema, moment, optional, page_of, required, text

calls = Calls(
    "platform-requests", "Platforms that a company misses", ids={"company_id": "A company's id at Codat."}
)


class PlatformRequestBody(RequestBodySchema):
    """A platform that is missing."""

    name = required("Its name, as the user calls it.", platform_requests.LONGEST_NAME)
    note = optional("What the user adds.", platform_requests.LONGEST_NOTE)


class PlatformRequestSchema(ResponseSchema):
    """A note that a platform is missing."""

    id = text("The note's id.")
    at = moment("When it was written, by our clock.")
    company_id = text("The company.")
    name = text("The platform, as the user calls it.")
    note = text("What the user added.", null=True)


@calls.get("/companies/<company_id>/platform-requests", page_of(PlatformRequestSchema))
def list_platform_requests(company_id: str) -> dict[str, Any]:
    """The platforms that a company misses, newest first

    At most 20. Those of all companies are the notifications of the type `journey.platform_requested`.
    """
    queries.company(get_container().reader, company_id)
    rows = get_container().journey.platform_requests.of_company(company_id)
    return {"items": rows, "next_cursor": None}


@calls.post(
    "/companies/<company_id>/platform-requests",
    PlatformRequestSchema,
    status=HTTPStatus.CREATED,
    or_status=HTTPStatus.OK,
    body=PlatformRequestBody,
    errors=(HTTPStatus.CONFLICT,),
)
def request_platform(body: dict[str, Any], company_id: str) -> tuple[dict[str, Any], int]:
    """Say that a company misses a platform

    What the pages do where a platform is not listed: told once as `journey.platform_requested`, to
    subscribers and to the operators' chat. A name that is known already changes nothing (200).
    """
    row, is_new = get_container().journey.request_platform(company_id, **body)
    return row, HTTPStatus.CREATED if is_new else HTTPStatus.OK
