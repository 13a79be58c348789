"""Companies at sign-up, how reading their data stands, and their end."""

import dataclasses
from http import HTTPStatus
from typing import Any

from flask import request

from processor.web.dependencies import get_container
from processor.web.v1.calls import Calls
from processor.web.v1.journey_schemas import SignedUpSchema, SignUpBody, SyncSchema

FROM_CODAT = (HTTPStatus.BAD_GATEWAY,)
"""What a call that needs Codat may also answer with."""

calls = Calls("journey-companies", "Companies at sign-up", ids={"company_id": "A company's id at Codat."})


@calls.post(
    "/companies",
    SignedUpSchema,
    status=HTTPStatus.CREATED,
    or_status=HTTPStatus.OK,
    body=SignUpBody,
    errors=FROM_CODAT,
)
def sign_up_company(body: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Sign a company up

    Creates it at Codat. Repeated with the same `merchant_id` it answers with the same company and 200,
    with a fresh `connect_url`; a new `contact_email` replaces the one before, and so does a new `name` on
    the pages and in e-mails, though not at Codat.
    """
    company, made = get_container().journey.sign_up(**body, root=request.url_root)
    answer = {**dataclasses.asdict(company), "id": company.company_id}
    return answer, HTTPStatus.CREATED if made else HTTPStatus.OK


@calls.delete("/companies/<company_id>", errors=FROM_CODAT)
def delete_company(company_id: str) -> None:
    """Delete a company

    With all its connections, at Codat first, then here. Of one that is deleted already nothing changes.
    """
    get_container().journey.delete_company(company_id)


@calls.post("/companies/<company_id>/read", SyncSchema, status=HTTPStatus.ACCEPTED, errors=FROM_CODAT)
def read_company(company_id: str) -> dict[str, Any]:
    """Read a company's data now

    Tells Codat to read all data types that are marked to be fetched on first link, of every connection: where
    no first sync followed an authorisation (`first_sync_missing`), or it failed. Codat is told once a minute
    at most; what it is reading already goes on. The answer is how reading stands at this moment.
    """
    get_container().journey.read_again(company_id)
    return _sync(company_id)


@calls.get("/companies/<company_id>/sync", SyncSchema)
def get_company_sync(company_id: str) -> dict[str, Any]:
    """How reading a company's data stands"""
    return _sync(company_id)


def _sync(company_id: str) -> dict[str, Any]:
    sync = dataclasses.asdict(get_container().journey.sync(company_id))
    rows = [{**row, "id": row["connection_id"]} for row in sync["connections"]]
    return {**sync, "id": company_id, "connections": rows}
