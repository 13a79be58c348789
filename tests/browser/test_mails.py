"""E-mails as a phone shows them."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from handlers.milestones import NotificationType
from processor.delivery.email_templates import EmailTemplates
from tests.browser.chrome import PHONE
from tests.browser.conftest import running_chrome

LINK = "https://northbank.example/connect/" + "x" * 400
NAMES = ("Toft & Co", "W" * 120)


@pytest.fixture(scope="module")
def phone() -> Iterator[Page]:
    """What a phone has open."""
    with running_chrome().context(viewport=PHONE, is_mobile=True) as context:
        yield context.new_page()


@pytest.mark.parametrize("notice", list(NotificationType))
@pytest.mark.parametrize("name", NAMES)
def test_an_e_mail_is_as_wide_as_a_phone(phone: Page, notice: NotificationType, name: str) -> None:
    """The link was written out unbroken: an e-mail was 732 px wide on a phone of 360 px."""
    failed = {"bills": "FetchError", "a" * 200: "FetchError"}
    letter = EmailTemplates().render(
        {"type": notice.value, "data": {"platform_name": name, "data_types": {"failed": failed}}},
        company_name=name,
        link=LINK,
        product=name,
        support="help@northbank.example",
    )
    phone.set_content(letter.html)
    assert phone.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
