"""Calls about the Codat products of a company."""

from typing import Any

from processor.web.dependencies import get_container
from processor.web.v1.calls import CODAT_ERRORS, Calls
from processor.web.v1.fields import ResponseSchema, text, texts

calls = Calls(
    "products",
    "Codat products of a company",
    ids={"company_id": "A company's id at Codat.", "product": "The identifier of a product at Codat."},
)


class ProductsSchema(ResponseSchema):
    """The products of a company."""

    id = text("The company's id.")
    company_id = text("The same.")
    products = texts("The identifiers of its products.")


@calls.get("/companies/<company_id>/products", ProductsSchema)
def list_products(company_id: str) -> dict[str, Any]:
    """The products of a company

    As Codat shows them.
    """
    return _products(company_id, get_container().journey.products.of_company(company_id))


@calls.put("/companies/<company_id>/products/<product>", ProductsSchema, errors=CODAT_ERRORS)
def add_product(company_id: str, product: str) -> dict[str, Any]:
    """Give a company a product

    Codat then reads what the product needs. 404 for a product that your Codat client lacks; one that the
    company has already changes nothing.
    """
    return _products(company_id, get_container().journey.products.add(company_id, product))


@calls.delete("/companies/<company_id>/products/<product>", errors=CODAT_ERRORS)
def remove_product(company_id: str, product: str) -> None:
    """Take a product from a company

    Its last one too: then Codat reads nothing more of it by itself.
    """
    get_container().journey.products.remove(company_id, product)


def _products(company_id: str, products: list[str]) -> dict[str, Any]:
    return {"id": company_id, "company_id": company_id, "products": products}
