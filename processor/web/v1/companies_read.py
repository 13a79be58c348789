"""Companies and their connections."""

from typing import Any

from processor.resources import queries
from processor.web.dependencies import get_container
from processor.web.v1.calls import Calls
from processor.web.v1.connections import ConnectionPageSchema
from processor.web.v1.fields import page_of
from processor.web.v1.parameters import CompanyQuery, StateQuery
from processor.web.v1.schemas import CompanySchema

calls = Calls("companies", "Companies and their connections", ids={"company_id": "A company's id at Codat."})


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
