"""Every page and state by axe: WCAG 2.2 AA and what is advised beyond it.

The suite visits each page once, and languages, brands, colours and widths take turns; at a desk so do the
pages. ``make axe`` visits each page in all of them, and has every other test of the pages call axe too. A
page is loaded for each language and brand; colours and widths change while it is open.
"""

import functools
import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from playwright.sync_api import Page, expect

from processor.languages.catalogues import LANGUAGES
from processor.store import keys
from processor.web.credential_throttle import Credential
from tests.browser.conftest import OpenPage, pages
from tests.browser.looking import RUN_ALL, Look, Scheme, violations, wider
from tests.browser.stack import OPERATOR_PASSWORD, Stack
from tests.processor.web.ops.operating import basic
from tests.support.effort import in_turn
from tests.support.service import until

BRANDS = (None, "northbank")
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
DESK_DIVISOR = 4
SIGNED_IN = {"Authorization": basic(password=OPERATOR_PASSWORD)}

STATES = {
    "pending": ("shpf", ()),
    "failed": ("strp", ("fail",)),
    "ready": ("gbol", ("authorize", "complete-sync")),
    "reading": ("pldx", ("authorize", "start-sync")),
    "unread": ("sqre", ("authorize", "fail-sync")),
    "ended": ("trlr", ("authorize", "deauthorize")),
    "unlinked": ("expn", ("authorize", "unlink")),
}
"""Connections in every state: their platforms, and what happens to them at Codat."""

EXPECTED = {
    "pending": "pending",
    "failed": "authorization_failed",
    "ready": "ready",
    "reading": "syncing",
    "unread": "sync_failed",
    "ended": "deauthorized",
    "unlinked": "unlinked",
}
FAIL_ALL = {"outcomes": {"orders": "FetchError"}}

PAGES_OF_NO_COMPANY = (
    "/return?statusCode=403",
    "/",
    "/nowhere",
    "{old}",
    "/reminders/made-up",
    "/connect/made-up",
    "{fresh}/nowhere",
)
"""Pages that know no company: they have the first brand."""

PAGES_OF_COMPANIES = (
    "{reminders}",
    "{fresh}",
    "{fresh}?q=quickbooks",
    "{fresh}?q=nothing+of+that+kind",
    "{fresh}/manage",
    "{fresh}/not-listed?q=Ledgers",
    "{fresh}/not-listed?done=told",
    "{shop}",
    "{shop}/manage",
    "{shop}/manage?done=disconnected",
    *(f"{{shop}}/connections/{{{state}}}" for state in STATES),
    "{shop}/connections/{ready}/unlink",
    "{shop}/connections/{ready}/delete",
    "/return?statusCode=200&connectionId={ready}",
    "/return?statusCode=403&connectionId={failed}&errorMessage=Cancelled",
    "/return?statusCode=201&companyId={shop_id}",
)

MERCHANT_PAGES = PAGES_OF_NO_COMPANY + PAGES_OF_COMPANIES

ERRORS = frozenset(
    {"/nowhere", "{old}", "/reminders/made-up", "/connect/made-up", "{fresh}/nowhere", "/ops/events/none"}
)
"""Pages that say what is wrong, with a status of 4xx."""

OPERATOR_PAGES = (
    "/ops",
    "/ops?window=day",
    "/ops/connections",
    "/ops/connections/{ready}",
    "/ops/connections/{failed}",
    "/ops/companies/{shop_id}",
    "/ops/events",
    "/ops/events?status=quarantined",
    "/ops/events/odd",
    "/ops/events/none",
    "/ops/notifications",
    "/ops/notifications/{notification}",
    "/ops/subscribers",
    "/ops/migration",
    "/ops/funnel",
    "/ops/audit",
    "/ops/access",
    "/ops/sign-in",
    "/ops/search?q=shop",
    "/ops/search?q=nobody",
)


class Version(NamedTuple):
    """What a page is loaded in; operators have one."""

    language: str | None
    brand: str | None


Fault = tuple[Version, Look, str]
Places = dict[str | None, dict[str, str]]

VERSIONS = [Version(language, brand) for language in LANGUAGES for brand in BRANDS]
OF_OPERATORS = Version(None, None)
LOOKS = [Look(width, scheme) for width in (320, 1280) for scheme in SCHEMES]


def numbered(paths: Sequence[str]) -> list[tuple[int, str]]:
    """The pages to visit, with their numbers."""
    return list(enumerate(paths)) if RUN_ALL else in_turn(enumerate(paths), DESK_DIVISOR)


def due(number: int, versions: Sequence[Version]) -> list[tuple[Version, list[Look]]]:
    """How a page is visited: in every version and look, or in those whose turn it is."""
    if RUN_ALL:
        return [(version, LOOKS) for version in versions]
    ways = list(itertools.product(versions, LOOKS))
    version, look = ways[number * 7 % len(ways)]  # 7 steps change each of the parts
    return [(version, [look])]


@pytest.fixture(scope="session")
def places(running: Stack) -> Places:
    """What stands in the addresses of pages, for each brand."""
    running.container.inbox.quarantine("odd", b"no JSON", datetime.now(UTC), "it is no JSON")
    places = {brand: fill(running, brand) for brand in BRANDS}
    for place in places.values():
        until(functools.partial(is_filled, running, place))  # ends are verified for seconds
        told = running.items("/v1/notifications", connection_id=place["ready"])[0]
        place["notification"] = str(told["id"])
    return places


@pytest.fixture(scope="module")
def merchant(running: Stack) -> Iterator[Page]:
    """What a merchant has open."""
    with pages() as open_page:
        yield open_page(running.url)


@pytest.fixture(scope="module")
def operator(running: Stack) -> Iterator[Page]:
    """What an operator has open."""
    with pages() as open_page:
        yield open_page(f"{running.url}/ops", extra_http_headers=SIGNED_IN)


def fill(service: Stack, brand: str | None) -> dict[str, str]:
    """A company with nothing, one with a connection in every state, and an old link."""
    name = "Zoë, Sons & Co"
    _, fresh = service.sign_up(f"fresh-{brand}", name, brand=brand)
    shop_id, shop = service.sign_up(f"axe-{brand}", name, brand=brand)
    service.container.journey.change_company(
        shop_id,
        asked_for=[{"source_type": "Accounting"}, {"source_type": "Commerce", "need": "optional"}],
        group=f"Harbour {brand}",
    )
    service.container.journey.sign_up(merchant_id=f"twin-{brand}", name="Harbour", group=f"Harbour {brand}")
    service.codat.change_settings(auto_sync=False, sync_s=3600)
    ids = {}
    for state, (platform_key, changes) in STATES.items():
        ids[state] = service.container.journey.connect(shop_id, platform_key).connection_id
        for change in changes:
            if change == "fail-sync":
                service.codat.change(ids[state], "complete-sync", **FAIL_ALL)
            else:
                service.codat.change(ids[state], change)
    old = f"{service.url}/connect/{service.token_of_another_day(shop_id)}"
    reminders = service.container.journey.opt_out.tokens.make(shop_id, holder="somebody")
    links = {"fresh": fresh, "shop": shop, "old": old, "reminders": f"{service.url}/reminders/{reminders}"}
    return {**links, "shop_id": shop_id, **ids}


def is_filled(service: Stack, place: dict[str, str]) -> bool:
    """Whether each connection is in its state."""
    rows = service.items(f"/v1/companies/{place['shop_id']}/connections")
    return {row["id"]: row["state"] for row in rows} == {place[name]: EXPECTED[name] for name in STATES}


def show(page: Page, service: Stack, path: str, place: dict[str, str], version: Version) -> None:
    """Load a page, and see that it is that page or the error that belongs there, in this version."""
    address = path.format(**place)
    url = address if "://" in address else service.url + address
    if path in ERRORS:  # made-up links are counted, and an address with too many has to wait
        service.container.redis.delete(keys.attempts(Credential.LINK, "127.0.0.1"))
    if path.startswith("/return") and path in PAGES_OF_COMPANIES:  # a cookie tells whose way back it is
        page.context.request.get(place["shop"])
    query = f"{'&' if '?' in url else '?'}lang={version.language}" if version.language else ""
    answer = page.goto(url + query)
    assert answer is not None
    assert (400 <= answer.status < 500) if path in ERRORS else answer.status < 400, (url, answer.status)
    assert answer.url == url + query, "another page"
    expect(page.locator("html")).to_have_attribute("lang", version.language or "en")
    expect(page.locator(".brand-logo")).to_have_count(0 if version.brand is None else 1)
    expect(page.locator("h1")).to_be_visible()


def faults_of(page: Page, version: Version, looks: Sequence[Look]) -> list[Fault]:
    """What is wrong with the open page in these looks."""
    faults: list[Fault] = []
    for look in looks:
        look.dress(page)
        faults += [(version, look, fault) for fault in violations(page) + wider(page)]
    return faults


@pytest.mark.parametrize(("number", "path"), numbered(MERCHANT_PAGES))
def test_page_of_merchants(running: Stack, merchant: Page, places: Places, number: int, path: str) -> None:
    versions = [version for version in VERSIONS if path in PAGES_OF_COMPANIES or version.brand is None]
    faults: list[Fault] = []
    for version, looks in due(number, versions):
        show(merchant, running, path, places[version.brand], version)
        faults += faults_of(merchant, version, looks)
    assert faults == [], "\n".join(map(str, faults))


def test_what_is_asked_before_leaving(running: Stack, merchant: Page, places: Places) -> None:
    faults: list[Fault] = []
    for version, looks in due(3, VERSIONS):
        show(merchant, running, "{fresh}", places[version.brand], version)
        merchant.evaluate("document.querySelectorAll('input[name=consent]').forEach((one) => one.remove())")
        merchant.locator("button[value=akxx]").click()
        agree = merchant.locator("form.buttons button")
        expect(agree).to_have_count(1)
        faults += faults_of(merchant, version, looks)
        agree.click()
        expect(merchant.locator(".needs")).to_be_visible()
        faults += faults_of(merchant, version, looks)
    assert faults == [], "\n".join(map(str, faults))


@pytest.mark.parametrize(("number", "path"), numbered(OPERATOR_PAGES))
def test_page_of_operators(running: Stack, operator: Page, places: Places, number: int, path: str) -> None:
    faults: list[Fault] = []
    for version, looks in due(number, [OF_OPERATORS]):
        show(operator, running, path, places[None], version)
        operator.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        faults += faults_of(operator, version, looks)
    assert faults == [], "\n".join(map(str, faults))


FAULTY = """<!doctype html><html lang="en"><head><title>Faulty</title><style>
p { background: #fff; color: #000; } button { border: 0; height: 40px; padding: 0; width: 40px; }
@media (prefers-color-scheme: dark) { p { color: #ddd; } }
@media (max-width: 400px) { button { height: 8px; width: 8px; } }
</style></head><body><main><h1>Faulty</h1><p>Pale words</p><img src="data:,">
<button aria-label="One"></button><button aria-label="Two"></button></main></body></html>
"""


def test_faults_are_found_in_the_looks_that_have_them(open_page: OpenPage) -> None:
    page = open_page("about:blank")
    page.set_content(FAULTY)
    results = {(look.width, look.scheme): set() for look in LOOKS}
    for _, look, fault in faults_of(page, OF_OPERATORS, LOOKS):
        results[look.width, look.scheme].add(fault.partition(":")[0])
    assert results == {
        (320, "light"): {"image-alt", "target-size"},
        (320, "dark"): {"image-alt", "target-size", "color-contrast"},
        (1280, "light"): {"image-alt"},
        (1280, "dark"): {"image-alt", "color-contrast"},
    }
