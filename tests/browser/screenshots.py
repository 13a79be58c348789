"""Writes the pictures of the pages under ``docs/images``: ``python -m tests.browser.screenshots``."""

from pathlib import Path

from playwright.sync_api import Browser, HttpCredentials, Page

from processor.simulator.lender import LENDER_PATH
from tests.browser.chrome import DESK, PATIENCE_MS, PHONE, chrome
from tests.browser.stack import OPERATOR_PASSWORD, Stack, stack

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "images"
HALFWAY_S = 24.0
"""How long the first sync takes of which a picture is taken on the way."""


class Photographer:
    """Takes each picture on a desk, and some on a phone in the dark."""

    def __init__(self, browser: Browser, url: str) -> None:
        login: HttpCredentials = {"username": "operator", "password": OPERATOR_PASSWORD}
        desk, phone = (
            browser.new_context(
                viewport=DESK, locale="en-GB", timezone_id="Europe/London", http_credentials=login
            ),
            browser.new_context(
                viewport=PHONE,
                device_scale_factor=2,
                color_scheme="dark",
                locale="en-GB",
                http_credentials=login,
            ),
        )
        for context in (desk, phone):
            context.set_default_timeout(PATIENCE_MS)
            context.route("https://static.codat.io/**", lambda route: route.abort())
        self.url, self.page, self._phone = url, desk.new_page(), phone.new_page()

    def take(self, name: str, *, whole: bool = False) -> None:
        """Keep what is seen now."""
        _keep(self.page, name, whole)

    def take_on_phone(self, name: str) -> None:
        """Keep what a phone shows there."""
        self._phone.goto(self.url)
        _keep(self._phone, f"{name}-phone", whole=False)

    def leave(self, platform: str, ending: str) -> None:
        """Choose a platform, and end the visit of the Link page so."""
        self.page.goto(self.url)
        self.page.get_by_role("button", name=f"Connect {platform}", exact=True).click()
        self.page.get_by_role("button", name=ending, exact=True).click()
        self.page.wait_for_url("**/return?**")

    def await_title(self, text: str) -> None:
        """Wait until the page says so."""
        self.page.get_by_role("heading", level=1, name=text).wait_for()


def _keep(page: Page, name: str, whole: bool) -> None:
    page.wait_for_load_state("networkidle")
    page.screenshot(path=FOLDER / f"{name}.png", full_page=whole, animations="disabled")
    print(f"wrote docs/images/{name}.png")


def take_all(service: Stack, browser: Browser) -> None:
    """Walk through the journey with a camera."""
    company_id, url = service.sign_up("corner-shop", "Corner Shop Ltd")
    camera = Photographer(browser, url)
    camera.page.goto(url)
    camera.take("choose", whole=True)
    camera.take_on_phone("choose")

    camera.leave("Shopify", "Cancel")
    camera.await_title("You did not give access")
    camera.take("cancelled")

    camera.leave("Xero", "Authorise")
    camera.await_title("You gave access to Xero")
    xero = service.connections(company_id)[0]
    service.codat.change_settings(sync_s=HALFWAY_S)
    service.codat.change(xero, "deauthorize")
    camera.await_title("Xero no longer gives access")
    service.codat.change(xero, "reauthorize", auto_sync=True)
    camera.page.goto(f"{url}/connections/{xero}")
    camera.await_title("Reading your data from Xero")
    camera.page.locator(".readings .good").nth(2).wait_for()
    camera.take("reading")
    service.codat.change(xero, "complete-sync")
    camera.await_title("Xero is connected")
    camera.take("ready")

    for name, path in (
        ("connected-and-pending", ""),
        ("manage", "/manage"),
        ("disconnect", f"/connections/{xero}/unlink"),
        ("not-listed", "/not-listed"),
    ):
        camera.page.goto(url + path)
        camera.take(name)
    camera.page.goto(f"{service.simulator.url}{LENDER_PATH}?connect={url}")
    camera.page.get_by_role("link", name="Connect your accounts").click()
    camera.page.frame_locator("iframe").get_by_role("heading", level=1).wait_for()
    camera.take("panel")
    take_operators(camera, service.url, xero)


def take_operators(camera: Photographer, url: str, connection_id: str) -> None:
    """What operators see of a connection."""
    camera.url = f"{url}/ops/connections/{connection_id}"
    camera.page.goto(camera.url)
    camera.take("ops-connection")
    camera.take_on_phone("ops-connection")


def main() -> None:
    """Write them all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    names = {"PRODUCT_NAME": "Northbank Lending", "SUPPORT_EMAIL": "help@northbank.example"}
    with stack(**names) as service, chrome() as running:
        take_all(service, running.browser)


if __name__ == "__main__":
    main()
