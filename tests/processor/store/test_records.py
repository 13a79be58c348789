"""What is read of a company's hash."""

import pytest

from processor.store.records import company_record


@pytest.mark.parametrize(
    ("stored", "products"),
    [('["lending"]', ("lending",)), ("[]", ()), ("5", None), ('"lending"', None), ("{", None), ("{}", None)],
)
def test_products_that_are_no_list_are_not_known(stored: str, products: tuple[str, ...] | None) -> None:
    """A number raised a TypeError that nobody caught, and a text became its letters."""
    assert company_record({"products": stored}).products == products
    assert company_record({}).products is None
