"""Calls about companies: sign-up, reading, sync, deletion."""

import dataclasses
from http import HTTPStatus
from typing import Any

from flask import request

from processor.journey.models import CompanyView
from processor.resources import queries, serializers
from processor.web.dependencies import get_container
from processor.web.v1.calls import CODAT_ERRORS, Calls
from processor.web.v1.company_schemas import (
    CompanyChangeBody,
    CompanySchema,
    ConsentSchema,
    JourneySchema,
    SignedUpSchema,
    SignUpBody,
    SyncSchema,
)
from processor.web.v1.connection_schemas import ConnectionPageSchema
from processor.web.v1.fields import page_of
from processor.web.v1.parameters import CompanyQuery, PageQuery, StateQuery

IDS = {"company_id": "A company's id at Codat."}

calls = Calls("companies", "Companies and their connections", ids=IDS)
journey_calls = Calls("journey-companies", "Companies at sign-up", ids=IDS)


@calls.get("/companies", page_of(CompanySchema), query=CompanyQuery)
def list_companies(**query: Any) -> dict[str, Any]:
    """Companies, newest first"""
    return queries.companies(get_container().reader, **query)


@calls.get("/companies/<company_id>", CompanySchema)
def get_company(company_id: str) -> dict[str, Any]:
    """One company"""
    return queries.company(get_container().reader, company_id)


@calls.get("/companies/<company_id>/connections", ConnectionPageSchema, query=StateQuery)
def list_company_connections(company_id: str, **query: Any) -> dict[str, Any]:
    """The connections of a company, newest first"""
    return queries.company_connections(get_container().reader, company_id, **query)


@calls.get("/companies/<company_id>/consents", page_of(ConsentSchema), query=PageQuery)
def list_company_consents(company_id: str, **query: Any) -> dict[str, Any]:
    """What a company's users agreed to on the pages, newest first

    The evidence: each text as it was shown, when, and for which connection. It is kept until the company is
    erased; deleting a connection does not remove it.
    """
    queries.company(get_container().reader, company_id)
    return serializers.page(get_container().journey.consents.of_company(company_id, **query))


@journey_calls.post("/companies/<company_id>/links/revoke", SignedUpSchema, status=HTTPStatus.OK)
def revoke_links(company_id: str) -> dict[str, Any]:
    """End all links of a company

    Links that were made so far stop at once, also those in e-mails and on open pages. `connect_url` of the
    answer is a fresh one. The links of companies with the same `group` end too, because their pages lead
    to this one. Requires a key with the scope `admin`.
    """
    journey = get_container().journey
    journey.links.revoke(company_id)
    return _signed_up(journey.company(company_id, root=request.url_root))


@journey_calls.post(
    "/companies",
    SignedUpSchema,
    status=HTTPStatus.CREATED,
    or_status=HTTPStatus.OK,
    body=SignUpBody,
    errors=CODAT_ERRORS,
)
def sign_up_company(body: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Sign a company up

    Creates it at Codat. Repeated with the same `merchant_id` it answers with the same company and 200,
    with a fresh `connect_url`; a new `contact_email` replaces the one before, and so does a new `name` on
    the pages and in e-mails, though not at Codat.
    """
    company, is_created = get_container().journey.sign_up(**body, root=request.url_root)
    return _signed_up(company), HTTPStatus.CREATED if is_created else HTTPStatus.OK


@journey_calls.patch("/companies/<company_id>", SignedUpSchema, body=CompanyChangeBody)
def change_company(body: dict[str, Any], company_id: str) -> dict[str, Any]:
    """Change what you said of a company

    Its name on the pages, its contact, its way back, its brand, what its users are asked to connect, and
    which platforms they are offered. Codat's own name of it stays.
    """
    company = get_container().journey.change_company(company_id, **body, root=request.url_root)
    return _signed_up(company)


@journey_calls.delete("/companies/<company_id>", errors=CODAT_ERRORS)
def delete_company(company_id: str) -> None:
    """Delete a company

    With all its connections, at Codat first, then here. Of one that is deleted already nothing changes.
    """
    get_container().journey.delete_company(company_id)


@journey_calls.post(
    "/companies/<company_id>/read", SyncSchema, status=HTTPStatus.ACCEPTED, errors=CODAT_ERRORS
)
def read_company(company_id: str) -> dict[str, Any]:
    """Read a company's data now

    Tells Codat to read all data types that are marked to be fetched on first link, of every connection: where
    no first sync followed an authorisation (`first_sync_missing`), or it failed. Codat is told once a minute
    at most; what it is reading already goes on. The answer is how reading stands at this moment.
    """
    get_container().journey.read_again(company_id)
    return get_container().journey.sync(company_id)


@journey_calls.get("/companies/<company_id>/sync", SyncSchema)
def get_company_sync(company_id: str) -> dict[str, Any]:
    """How reading a company's data stands"""
    return get_container().journey.sync(company_id)


def _signed_up(company: CompanyView) -> dict[str, Any]:
    return {**dataclasses.asdict(company), "id": company.company_id}


@journey_calls.get("/companies/<company_id>/journey", JourneySchema)
def get_company_journey(company_id: str) -> dict[str, Any]:
    """How a company's journey stands

    What the button on the pages tells your `return_url`, at any time and by us: parameters of an address
    prove nothing.
    """
    return get_container().journey.overview(company_id)
