"""Sign-up: one company at Codat for each merchant, however many requests arrive at once."""

import json
import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from handlers.events import MERCHANT_TAG
from processor.codat.client import CodatClient
from processor.codat.errors import CodatUncertain
from processor.codat.models import CompanyResponse
from processor.errors import CodatError, CodatRefused
from processor.journey.errors import ProductsRefused
from processor.journey.records import Records
from processor.journey.requests import SignUpRequest
from processor.store.queries import Reader

_log = logging.getLogger(__name__)

T = TypeVar("T")

LOST_ANSWER_CHECKS_S = (0.0, 1.0)
"""After a lost answer: seconds before each look for what Codat may have created."""


class CompanyService:
    """Signs companies up at Codat and keeps their fields. A merchant's id is never logged.

    ``products`` are given to a company whose sign-up names none.
    """

    def __init__(
        self,
        *,
        records: Records,
        reader: Reader,
        clock: Callable[[], datetime],
        products: Sequence[str] = (),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._records, self._reader, self._products = records, reader, tuple(products)
        self._clock, self._sleep = clock, sleep

    def company_of(self, merchant_id: str) -> dict[str, str] | None:
        """The fields of the merchant's company; ``None`` without one, or when it was deleted."""
        company_id = self._reader.current_company_id(merchant_id)
        return None if company_id is None else self.company(company_id)

    def company(self, company_id: str) -> dict[str, str] | None:
        """The fields of a company; ``None`` when it is unknown or deleted."""
        row = self._reader.company(company_id)
        return None if row is None or "id" not in row or "deleted_at" in row else row

    def sign_up(
        self, request: SignUpRequest, codat: Callable[[], CodatClient]
    ) -> tuple[dict[str, str], bool]:
        """The fields of the merchant's company, and whether this call created it.

        ``codat`` is called only for a merchant without a company, and may raise. Raises ``CodatError`` or
        :class:`ProductsRefused`, and then nothing is kept.
        """
        row = self.company_of(request.merchant_id)
        if row is not None:
            return self._updated(row, request), False
        client = codat()
        with self._records.signing_up(request.merchant_id):
            row = self.company_of(request.merchant_id)
            if row is not None:
                return self._updated(row, request), False
            company = self._find_at_codat(client, request)
            is_created = company is None
            if company is None:
                company = self._create(client, request)
            self._records.save_company(
                company,
                merchant_id=request.merchant_id,
                local_fields={**request.local_fields, **self._products_field(request, is_created=is_created)},
                now=self._clock(),
            )
        _log.info("a company signed up", extra={"company_id": company.id, "made_now": is_created})
        row = self._reader.company(company.id)
        return row or {"id": company.id, "merchant_id": request.merchant_id}, is_created

    def _find_at_codat(self, client: CodatClient, request: SignUpRequest) -> CompanyResponse | None:
        """The merchant's company at Codat, without those whose deletion is known here."""
        return client.find_company_by_tag(
            MERCHANT_TAG,
            request.merchant_id,
            unless=lambda company_id: "deleted_at" in (self._reader.company(company_id) or {}),
        )

    def _create(self, client: CodatClient, request: SignUpRequest) -> CompanyResponse:
        """Create the company; after a lost answer look for it and never create it a second time."""
        try:
            return client.create_company(
                request.name, request.tags, products=request.products or self._products
            )
        except CodatRefused as refused:
            if "product" in refused.detail.casefold():
                raise ProductsRefused(refused) from refused
            raise
        except CodatUncertain as lost:
            _log.warning(
                "Codat's answer to a sign-up was lost; the company is looked for",
                extra={"correlation_id": lost.correlation_id},
            )
            return look_for_lost(lost, lambda: self._find_at_codat(client, request), self._sleep)

    def _products_field(self, request: SignUpRequest, *, is_created: bool) -> dict[str, str]:
        """The products with which the company was created; empty where Codat had it already."""
        products = request.products or self._products
        return {"products": json.dumps(products)} if is_created and products else {}

    def _updated(self, row: dict[str, str], request: SignUpRequest) -> dict[str, str]:
        """``row`` with the local fields of a repeated sign-up, which are saved."""
        changes = {name: value for name, value in request.local_fields.items() if row.get(name) != value}
        if changes:
            self._records.save_local_fields(row["id"], changes)
        return {**row, **changes}


def look_for_lost(lost: CodatUncertain, find: Callable[[], T | None], sleep: Callable[[float], object]) -> T:
    """What Codat created although its answer was lost; raises ``lost`` if there is none, or none is shown."""
    for pause_s in LOST_ANSWER_CHECKS_S:
        sleep(pause_s)
        try:
            created = find()
        except CodatError as error:
            raise lost from error
        if created is not None:
            return created
    raise lost
