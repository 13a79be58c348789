"""Every page and state by axe: WCAG 2.2 AA and what is advised beyond it.

The suite visits each page once, and languages, brands, colours and widths take turns; at a desk so do the
pages. ``make axe`` visits each page in all of them, and has every other test of the pages call axe too.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from processor.languages.catalogues import LANGUAGES
from processor.store import keys
from processor.web.credential_throttle import Credential
from tests.browser.chrome import PATIENCE_MS, executable
from tests.browser.conftest import OpenPage
from tests.browser.looking import RUN_ALL, violations, wider
from tests.browser.stack import OPERATOR_PASSWORD, Stack
from tests.support.effort import in_turn
from tests.support.service import until

pytestmark = [
    pytest.mark.skipif(executable() is None and not RUN_ALL, reason="Debian's chromium is not installed"),
    pytest.mark.timeout(1800 if RUN_ALL else 600),
]

BRANDS = (None, "northbank")
SCHEMES = ("light", "dark")
WIDTHS = (320, 1280)
DESK_DIVISOR = 4
LOGIN = {"username": "operator", "password": OPERATOR_PASSWORD}

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

MERCHANT_PAGES = (
    "/return?statusCode=403",
    "/",
    "/nowhere",
    "{old}",
    "/reminders/made-up",
    "{reminders}",
    "/connect/made-up",
    "{fresh}",
    "{fresh}?q=quickbooks",
    "{fresh}?q=nothing+of+that+kind",
    "{fresh}/manage",
    "{fresh}/not-listed?q=Ledgers",
    "{fresh}/not-listed?done=told",
    "{fresh}/nowhere",
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


Places = dict[str | None, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Look:
    """How a page is shown."""

    language: str
    brand: str | None
    scheme: str
    width: int

    def dress(self, page: Page) -> None:
        """Have the browser show pages so."""
        page.set_viewport_size({"width": self.width, "height": 900})
        page.emulate_media(color_scheme=self.scheme)  # type: ignore[arg-type]


LOOKS = [Look(*parts) for parts in itertools.product(LANGUAGES, BRANDS, SCHEMES, WIDTHS)]


def pages_of(paths: Sequence[str]) -> list[tuple[int, str]]:
    """The pages to visit, with their numbers."""
    return list(enumerate(paths)) if RUN_ALL else in_turn(enumerate(paths), DESK_DIVISOR)


def looks_of(number: int, looks: list[Look]) -> list[Look]:
    """The looks of one page: all of them, or the one whose turn it is."""
    return looks if RUN_ALL else [looks[number * 7 % len(looks)]]  # 7 steps change each of the parts


@pytest.fixture(autouse=True)
def patience() -> None:
    """Nothing here depends on the speed of the machine."""
    expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def places(running: Stack) -> Places:
    """What stands in the addresses of pages, for each brand."""
    return {brand: fill(running, brand) for brand in BRANDS}


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
    until(lambda: {state: service.state(connection_id) for state, connection_id in ids.items()} == EXPECTED)
    old = f"{service.url}/connect/{service.token_of_another_day(shop_id)}"
    reminders = service.container.journey.opt_out.tokens.make(shop_id, holder="somebody")
    links = {"fresh": fresh, "shop": shop, "old": old, "reminders": f"{service.url}/reminders/{reminders}"}
    return {**links, "shop_id": shop_id, **ids}


def show(page: Page, service: Stack, path: str, place: dict[str, str], **parameters: str) -> None:
    """Open a page, and see that it is the page, or the error that belongs there."""
    address = path.format(**place)
    url = address if "://" in address else service.url + address
    if path in ERRORS:  # made-up links are counted, and an address with too many has to wait
        service.container.redis.delete(keys.attempts(Credential.LINK, "127.0.0.1"))
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    answer = page.goto(url + (("&" if "?" in url else "?") + query if query else ""))
    assert answer is not None
    assert (400 <= answer.status < 500) if path in ERRORS else answer.status < 400, (url, answer.status)


def test_pages_of_merchants(service: Stack, open_page: OpenPage, places: Places) -> None:
    page = open_page(service.url)
    faults: list[tuple[str, Look, str]] = []
    for number, path in pages_of(MERCHANT_PAGES):
        for look in looks_of(number, LOOKS):
            look.dress(page)
            show(page, service, path, places[look.brand], lang=look.language)
            expect(page.locator("html")).to_have_attribute("lang", look.language)
            faults += [(path, look, fault) for fault in violations(page) + wider(page)]
    assert faults == [], "\n".join(map(str, faults))
    page.evaluate("document.querySelector('main').innerHTML = '<img src=x><button></button>'")
    assert {fault.partition(":")[0] for fault in violations(page)} >= {"image-alt", "button-name"}


def test_what_is_asked_before_leaving(service: Stack, open_page: OpenPage, places: Places) -> None:
    page = open_page(service.url)
    for look in looks_of(3, LOOKS):
        look.dress(page)
        show(page, service, "{fresh}", places[look.brand], lang=look.language)
        page.evaluate("document.querySelectorAll('input[name=consent]').forEach((one) => one.remove())")
        page.locator("button[value=akxx]").click()
        agree = page.locator("form.buttons button")
        expect(agree).to_have_count(1)
        assert violations(page) == [], ("consent", look)
        agree.click()
        expect(page.locator(".needs")).to_be_visible()
        assert violations(page) == [], ("leaving", look)


def test_pages_of_operators(service: Stack, open_page: OpenPage, places: Places) -> None:
    service.container.inbox.quarantine("odd", b"no JSON", datetime.now(UTC), "it is no JSON")
    place = places[None]
    told = service.items("/v1/notifications", connection_id=place["ready"])
    place["notification"] = str(told[0]["id"])
    page = open_page(f"{service.url}/ops", http_credentials=LOGIN)
    looks = [replace(LOOKS[0], scheme=scheme, width=width) for scheme in SCHEMES for width in WIDTHS]
    faults: list[tuple[str, Look, str]] = []
    for number, path in pages_of(OPERATOR_PAGES):
        for look in looks if RUN_ALL else [looks[number % len(looks)]]:
            look.dress(page)
            show(page, service, path, place)
            for summary in page.locator("details > summary").all():
                if summary.is_visible():
                    summary.click()
            faults += [(path, look, fault) for fault in violations(page) + wider(page)]
    assert faults == [], "\n".join(map(str, faults))
