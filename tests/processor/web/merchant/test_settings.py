"""The settings that the pages speak by."""

import pytest

from processor.errors import SettingsError
from processor.settings.loading import load
from tests.support.serving import ENVIRON


def test_by_default_the_pages_name_nobody() -> None:
    settings = load(ENVIRON)
    assert (settings.product_name, settings.support_email) == (None, None)


def test_an_address_for_help_can_stand_in_a_link() -> None:
    assert load({**ENVIRON, "SUPPORT_EMAIL": "help+us@example.com"}).support_email == "help+us@example.com"


@pytest.mark.parametrize(
    "wrong", ["help", "help@", "@example.com", "a@b@c", "a b@c.d", "a@b.c?subject=x", "a@b.c,d@e.f", '"@b.c']
)
def test_what_is_no_address_stops_the_start(wrong: str) -> None:
    with pytest.raises(SettingsError, match="SUPPORT_EMAIL must be an e-mail address"):
        load({**ENVIRON, "SUPPORT_EMAIL": wrong})
