"""The Codat products of a company, added and removed after its sign-up.

https://docs.codat.io/platform-api#/operations/add-product
"""

import json
from collections.abc import Sequence

from processor.codat.client import CodatClient
from processor.errors import Invalid
from processor.journey.connections import QueueQuestions
from processor.journey.events import CompanyFields
from processor.journey.field_checks import text_error
from processor.journey.records import Records
from processor.journey.requests import LONGEST_PRODUCT


class ProductService:
    """Changes products at Codat first, then here. Every method may raise ``CodatError``."""

    def __init__(self, *, codat: CodatClient, records: Records, queue_questions: QueueQuestions) -> None:
        self._codat, self._records, self._queue_questions = codat, records, queue_questions

    def of_company(self, company: CompanyFields) -> list[str]:
        """The products as Codat shows them, else as they are known here; what Codat shows is kept."""
        shown = self._codat.get_company(company["id"]).products
        if shown is None:
            return stored_products(company)
        self._keep(company, shown)
        return list(shown)

    def add(self, company: CompanyFields, product: str) -> list[str]:
        """Give the company a product, which starts a read; its products now.

        Raises ``CodatNotFound`` for a product that the Codat client lacks.
        """
        _check(product)
        self._codat.add_product(company["id"], product)
        products = list(dict.fromkeys([*stored_products(company), product]))
        self._keep(company, products)
        self._queue_questions(company["id"])
        return products

    def remove(self, company: CompanyFields, product: str) -> list[str]:
        """Take a product from the company, also its last one; its products now."""
        _check(product)
        self._codat.remove_product(company["id"], product)
        products = [known for known in stored_products(company) if known != product]
        self._keep(company, products)
        return products

    def _keep(self, company: CompanyFields, products: Sequence[str]) -> None:
        if list(products) != stored_products(company):
            self._records.save_local_fields(company["id"], {"products": json.dumps(list(products))})


def stored_products(company: CompanyFields) -> list[str]:
    """The products as they are known here."""
    return list(json.loads(company.get("products") or "[]"))


def _check(product: str) -> None:
    if mistake := text_error(product, LONGEST_PRODUCT):
        raise Invalid(errors={"product": [mistake]})
