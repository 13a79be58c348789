"""The Codat products of a company, added and removed after its sign-up.

https://docs.codat.io/platform-api#/operations/add-product
"""

import json
from collections.abc import Sequence

from processor.codat.client import CodatClient
from processor.errors import Invalid
from processor.journey.company_fields import products_of
from processor.journey.connections import QueueQuestions
from processor.journey.errors import CodatNotSet
from processor.journey.events import CompanyFields
from processor.journey.field_checks import text_error
from processor.journey.lookup import Lookup
from processor.journey.records import Records
from processor.journey.requests import LONGEST_PRODUCT


class ProductService:
    """Changes products at Codat first, then here.

    Every method raises :class:`CodatNotSet` without CODAT_API_KEY, ``CodatError``, and :class:`NotFound` for
    an unknown company.
    """

    def __init__(
        self,
        *,
        codat: CodatClient | None,
        lookup: Lookup,
        records: Records,
        queue_questions: QueueQuestions,
    ) -> None:
        self._client, self._lookup, self._records = codat, lookup, records
        self._queue_questions = queue_questions

    def of_company(self, company_id: str) -> list[str]:
        """The products as Codat shows them, else as they are known here; what Codat shows is kept."""
        company = self._lookup.company(company_id)
        shown = self._codat.get_company(company_id).products
        if shown is None:
            return products_of(company)
        self._keep(company, shown)
        return list(shown)

    def add(self, company_id: str, product: str) -> list[str]:
        """Give the company a product, which starts a read; its products now.

        Raises ``CodatNotFound`` for a product that the Codat client lacks.
        """
        company = self._checked(company_id, product)
        self._codat.add_product(company_id, product)
        products = list(dict.fromkeys([*products_of(company), product]))
        self._keep(company, products)
        self._queue_questions(company_id)
        return products

    def remove(self, company_id: str, product: str) -> list[str]:
        """Take a product from the company, also its last one; its products now."""
        company = self._checked(company_id, product)
        self._codat.remove_product(company_id, product)
        products = [known for known in products_of(company) if known != product]
        self._keep(company, products)
        return products

    @property
    def _codat(self) -> CodatClient:
        if self._client is None:
            raise CodatNotSet()
        return self._client

    def _checked(self, company_id: str, product: str) -> CompanyFields:
        """The company's fields; raises :class:`Invalid` for what cannot be a product."""
        if mistake := text_error(product, LONGEST_PRODUCT):
            raise Invalid(errors={"product": [mistake]})
        return self._lookup.company(company_id)

    def _keep(self, company: CompanyFields, products: Sequence[str]) -> None:
        if list(products) != products_of(company):
            self._records.save_local_fields(company["id"], {"products": json.dumps(list(products))})
