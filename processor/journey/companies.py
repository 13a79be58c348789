"""Sign-up: one company at Codat for each merchant, however often and by how many it is asked for."""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from handlers.events import MERCHANT_TAG
from processor.codat.client import CodatClient
from processor.codat.errors import CodatUncertain
from processor.codat.models import CompanyResponse
from processor.errors import CodatError, CodatRefused
from processor.journey.errors import ProductsRefused
from processor.journey.records import Records
from processor.journey.requests import SignUp
from processor.store.queries import Reader

_log = logging.getLogger(__name__)

LOOK_AGAIN_AFTER_S = (0.0, 1.0)
"""When to look for what was created where the answer was lost, in seconds after each other."""


class Companies:
    """Signs companies up at Codat and keeps them here. A merchant's id is never logged.

    ``products`` are those that a company gets where its sign-up names none.
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

    def known(self, merchant_id: str) -> dict[str, str] | None:
        """The fields of the merchant's company; ``None`` without one that still exists."""
        company_id = self._reader.current_company_id(merchant_id)
        return None if company_id is None else self.row(company_id)

    def row(self, company_id: str) -> dict[str, str] | None:
        """The fields of a company that still exists."""
        row = self._reader.company(company_id)
        return None if row is None or "id" not in row or "deleted_at" in row else row

    def sign_up(self, wish: SignUp, codat: Callable[[], CodatClient]) -> tuple[dict[str, str], bool]:
        """The fields of the merchant's company, and whether it was made now.

        ``codat`` gives the client, and raises where there is none: a company that is known needs none.
        Raises ``CodatError`` where Codat does not answer well, and :class:`ProductsRefused` where it wants
        other products; nothing is kept then.
        """
        row = self.known(wish.merchant_id)
        if row is not None:
            return self._with_what_is_new(row, wish), False
        client = codat()
        with self._records.signing_up(wish.merchant_id):
            row = self.known(wish.merchant_id)
            if row is not None:
                return self._with_what_is_new(row, wish), False
            seen = self._existing(client, wish)
            made = seen is None
            if seen is None:
                seen = self._created(client, wish)
            self._records.keep_company(
                seen, merchant_id=wish.merchant_id, given=wish.kept_here, now=self._clock()
            )
        _log.info("a company signed up", extra={"company_id": seen.id, "made_now": made})
        kept = self._reader.company(seen.id)
        return kept or {"id": seen.id, "merchant_id": wish.merchant_id}, made

    def _existing(self, client: CodatClient, wish: SignUp) -> CompanyResponse | None:
        """The merchant's company at Codat, except those of which we know that they were deleted there."""
        return client.find_company_by_tag(
            MERCHANT_TAG,
            wish.merchant_id,
            unless=lambda company_id: "deleted_at" in (self._reader.company(company_id) or {}),
        )

    def _created(self, client: CodatClient, wish: SignUp) -> CompanyResponse:
        """A new company; where the answer is lost, it is looked for and never sent again."""
        try:
            return client.create_company(wish.name, wish.tags, products=wish.products or self._products)
        except CodatRefused as refused:
            if "product" in refused.detail.casefold():
                raise ProductsRefused(refused) from refused
            raise
        except CodatUncertain as lost:
            _log.warning(
                "Codat's answer to a sign-up was lost; the company is looked for",
                extra={"correlation_id": lost.correlation_id},
            )
            for pause_s in LOOK_AGAIN_AFTER_S:
                self._sleep(pause_s)
                try:
                    found = self._existing(client, wish)
                except CodatError as error:
                    raise lost from error
                if found is not None:
                    return found
            raise

    def _with_what_is_new(self, row: dict[str, str], wish: SignUp) -> dict[str, str]:
        new = {name: value for name, value in wish.kept_here.items() if row.get(name) != value}
        if new:
            self._records.keep_given(row["id"], new)
        return {**row, **new}
