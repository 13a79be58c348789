"""Searching the platforms: what people type is not what the list calls them."""

import pytest

from processor.journey.models import PlatformView
from processor.journey.search import MAX_WORDS, search

XERO = PlatformView("gbol", "Xero", "Accounting")
QBO = PlatformView("qhyg", "QuickBooks Online", "Accounting")
DESKTOP = PlatformView("pqsw", "QuickBooks Desktop", "Accounting")
FEEDS = PlatformView("hcws", "QuickBooks Online Bank Feeds", "BankFeed")
SHOPIFY = PlatformView("shpf", "Shopify", "Commerce")
ZETTLE = PlatformView("ztl1", "Zettle", "Commerce")
PLAID = PlatformView("pldx", "Plaid", "Banking")
TRUELAYER = PlatformView("trlr", "TrueLayer", "Banking")
ODD = PlatformView("odd1", "Ödön Büro", "Strange")
ALL = (XERO, QBO, DESKTOP, FEEDS, SHOPIFY, ZETTLE, PLAID, TRUELAYER, ODD)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", list(ALL)),
        ("xero", [XERO]),
        ("ERO", [XERO]),
        ("gbol", [XERO]),
        ("  quick  ONLINE ", [QBO, FEEDS]),
        ("odon", [ODD]),
        ("…", []),
        ("nothing of that kind", []),
    ],
)
def test_names_are_found_by_their_parts(text: str, found: list[PlatformView]) -> None:
    assert search(ALL, text).platforms == found


@pytest.mark.parametrize(
    ("text", "found"),
    [("QBO", [QBO, FEEDS]), ("qbd", [DESKTOP]), ("Intuit", [QBO, DESKTOP, FEEDS]), ("iZettle", [ZETTLE])],
)
def test_other_names_are_found_and_said(text: str, found: list[PlatformView]) -> None:
    """ "QBO" found nothing, though half of its users call it so."""
    result = search(ALL, text)
    assert result.platforms == found
    assert result.hint is not None
    assert result.hint.startswith(f"“{text}” is listed as ")
    assert all(item.name in result.hint for item in found)


@pytest.mark.parametrize(
    "text", ["barclays", "Barclays Bank", "BARCLAY", "barclys", "bracalys", "my barclays account"]
)
def test_a_bank_leads_to_what_reaches_it(text: str) -> None:
    """ "barclays" found nothing, though it is reached through two platforms."""
    result = search(ALL, text)
    assert result.platforms == [PLAID, TRUELAYER]
    assert result.hint == "Barclays is reached through Plaid or TrueLayer."


def test_a_bank_is_promised_only_where_something_leads_to_it() -> None:
    """A client without banking platforms cannot reach any bank."""
    assert search([XERO, QBO], "barclays").platforms == []
    assert search([XERO, QBO], "barclays").hint is None


@pytest.mark.parametrize(
    ("text", "among"),
    [("bank", [PLAID, TRUELAYER, FEEDS]), ("bank account", [PLAID, TRUELAYER]), ("shop", [SHOPIFY, ZETTLE])],
)
def test_the_headings_of_groups_count(text: str, among: list[PlatformView]) -> None:
    """ "bank" hid the bank accounts, and showed the bank feeds alone."""
    result = search(ALL, text)
    assert {item.key for item in among} == {platform.key for platform in result.platforms}
    assert result.hint is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("xreo", [XERO]),
        ("zero", [XERO]),
        ("shopfy", [SHOPIFY]),
        ("shoppify", [SHOPIFY]),
        ("quikboks desktop", [DESKTOP]),
        ("trulayer", [TRUELAYER]),
        ("xe", [XERO]),
        ("xr", []),
    ],
)
def test_a_slip_of_the_finger_is_forgiven(text: str, found: list[PlatformView]) -> None:
    """ "shopfy" found nothing."""
    assert search(ALL, text).platforms == found


def test_whatever_is_typed_is_little_work() -> None:
    """A search is bounded in words and letters, whatever somebody pastes."""
    assert search(ALL, "x" * 100_000).platforms == []
    assert search(ALL, "xero " * MAX_WORDS + "shopify").platforms == [XERO]
