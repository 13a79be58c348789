"""Addresses to which a browser may be sent have one reading, or none."""

import pytest

from processor.errors import SettingsError
from processor.settings import web_addresses
from processor.settings.loading import load
from tests.processor.settings.test_settings import ENOUGH


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("https://app.example", "https://app.example/"),
        ("HTTPS://App.Example:443/Loan?x=1#y", "https://app.example/Loan?x=1#y"),
        ("https://app.example?x=1", "https://app.example/?x=1"),
        ("https://app.example:8443/", "https://app.example:8443/"),
        ("http://localhost:3000/back", "http://localhost:3000/back"),
        ("http://127.0.0.1:80/", "http://127.0.0.1/"),
        ("http://[::1]:8001", "http://[::1]:8001/"),
        ("https://app.example/@x", "https://app.example/@x"),
    ],
)
def test_an_address_is_kept_in_its_normal_form(text: str, normal: str) -> None:
    assert str(web_addresses.parse(text)) == normal
    assert str(web_addresses.parse(normal)) == normal


@pytest.mark.parametrize(
    "text",
    [
        "",
        "app.example",
        "//app.example",
        "/back",
        "https:app.example",
        "https:/app.example",
        "https:///app.example",
        "javascript:alert(1)",
        "http://app.example/",
        "http://localhost.example/",
        "http://127.0.0.1.example/",
        "ftp://localhost/",
        "https://app.example@evil.example/",
        "https://user:password@app.example/",
        "https://app.example\\@evil.example/",
        "https://evil.example\\.app.example/",
        "https://evil.example/\\app.example",
        "https://app.example/\t",
        "https://app.exa\nmple/",
        " https://app.example/",
        "https://app.example:0/",
        "https://app.example:65536/",
        "https://app.example:/",
        "https://app.example:80x/",
        "https://app%2eexample/",
        "https://äpp.example/",
        "https://.app.example/",
        "https://app.example./",
        "https://[::2]/",
        "https://app.example/" + "x" * web_addresses.LONGEST,
    ],
)
def test_what_a_browser_may_read_differently_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        web_addresses.parse(text)


def test_the_normal_form_is_no_longer_than_what_is_read_again() -> None:
    """It gained a slash, and every page of the company failed."""
    address = "https://app.example?x="
    with pytest.raises(ValueError, match="Longer"):
        web_addresses.parse(address + "y" * (web_addresses.LONGEST - len(address)))


def test_the_settings_are_a_list_of_origins_and_an_address() -> None:
    settings = load(
        {
            **ENOUGH,
            "RETURN_URL": "https://App.example/back?x=1",
            "RETURN_URL_ORIGINS": "https://app.example:443, http://localhost:3000/,https://app.example",
        }
    )
    assert settings.return_url == "https://app.example/back?x=1"
    assert settings.return_url_origins == ("https://app.example", "http://localhost:3000")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RETURN_URL", "http://app.example/"),
        ("RETURN_URL", "https://user@app.example/"),
        ("RETURN_URL_ORIGINS", "https://app.example/path"),
        ("RETURN_URL_ORIGINS", "https://*.example"),
        ("RETURN_URL_ORIGINS", "app.example"),
    ],
)
def test_a_wrong_setting_stops_the_start(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load({**ENOUGH, name: value})
