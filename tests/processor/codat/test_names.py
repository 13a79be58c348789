"""Names, paths and filters as Codat accepts them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.codat.names import codat_name, company_name, path_of, source_type_of, tag_filter
from processor.errors import CodatRefused, Invalid

PATTERN = re.compile(r"^[A-Za-z0-9\s\-',&@.,?!\s]+$", re.ASCII)


@pytest.mark.parametrize("fitting", ["Bank of Dave", "m-42", "O'Neil, Sons & Co. @ home!?", "a\nb", "!"])
def test_a_name_that_fits_stays_as_it_is(fitting):
    assert codat_name(fitting) == fitting


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("merchant_42", "merchant-42"),
        ("acct:7/9", "acct-7-9"),
        ("Café Zoë", "Cafe Zoe"),
        ("Company (Codat[1])", "Company Codat 1"),
        ("商店", "Company"),
        ("", "Company"),
        ("   ", "Company"),
        ("___", "Company"),
        ("ﬁne", "fine"),
        ("O\u2019Brien & S\u0153n", "O'Brien & Soen"),
        ("Smørrebrød \u2013 Straße", "Smorrebrod - Strasse"),
    ],
)
def test_a_name_that_does_not_fit_is_cleaned(text, name):
    assert codat_name(text) == name


@given(st.text())
def test_every_name_fits_in_the_end(text):
    name = codat_name(text)

    assert PATTERN.fullmatch(name)
    assert name.strip()
    assert codat_name(name) == name


@given(st.text(max_size=100))
def test_an_id_is_one_segment_or_refused(text):
    try:
        path = path_of(("companies", text, "connections"))
    except CodatRefused:
        return
    assert path.count("/") == 3
    assert not {"?", "#", " ", "\n"} & set(path)
    assert not any(part in ("", ".", "..") for part in path.split("/")[1:])


@pytest.mark.parametrize(
    ("value", "filter_"),
    [
        ("m-1", "merchantId=m-1"),
        ("a b", "merchantId=a b"),
        ("urn:x/1_2", "merchantId=urn:x/1_2"),
        ("a&&region!=uk", "merchantId~region"),
        (" padded ", "merchantId~padded"),
        ("&&", None),
        ("", None),
    ],
)
def test_a_tag_filter_never_carries_operators_of_its_own(value, filter_):
    assert tag_filter("merchantId", value) == filter_


def test_a_tag_with_an_odd_name_is_not_filtered_by():
    assert tag_filter("a=b&&c", "x") is None


@pytest.mark.parametrize("text", ["bankfeed", "BankFeed", " BANKFEED "])
def test_a_source_type_is_spelt_as_codat_spells_it(text):
    assert source_type_of(text) == "BankFeed"


def test_an_unknown_source_type_is_named_as_the_field_at_fault():
    with pytest.raises(Invalid):
        source_type_of("accounts")


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("株式会社テスト", "shop-7"),
        ("Ромашка Ltd", "shop-7"),
        ("مخبز", "shop-7"),
        ("株式会社 123", "shop-7"),
        ("—", "shop-7"),
        (None, "shop-7"),
        ("Company", "Company"),
        ("123", "123"),
        ("Zoë\u2019s Café 商", "Zoe's Cafe"),
        ("Æther & Søn", "Aether & Son"),
    ],
)
def test_a_name_that_is_lost_at_codat_gives_way_to_the_merchants_id(name: str | None, made: str) -> None:
    """A name in Japanese became "Company" at Codat, as did the next, and nobody told them apart."""
    assert company_name(name, "shop_7") == made
