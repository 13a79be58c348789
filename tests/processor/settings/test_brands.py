"""Brands: their colours are legible, their files are there, or the start says which are not."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.errors import SettingsError
from processor.settings import colors
from processor.settings.brands import load_brands
from processor.settings.loading import load
from tests.processor.settings.test_settings import ENOUGH, mistakes

NORTHBANK = """
name = "Northbank"
support_email = "help@northbank.example"
color = "#7a1f4b"
logo = "logo.svg"
heading = "Share your accounts with Northbank"
[links]
"Privacy" = "https://northbank.example/privacy"
"""


@given(st.integers(0, 0xFFFFFF), st.booleans())
def test_the_nearest_colour_is_legible_and_a_legible_one_stays(number: int, dark: bool) -> None:
    color = f"#{number:06x}"
    nearest = colors.nearest_legible(color, dark=dark)
    assert colors.is_legible(nearest, dark=dark)
    assert (nearest == color) == colors.is_legible(color, dark=dark)


def test_contrast_is_that_of_wcag() -> None:
    assert colors.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert colors.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_a_colour_that_is_not_legible_is_refused_with_the_nearest_that_is() -> None:
    (mistake,) = mistakes({**ENOUGH, "BRAND_COLOR": "#FF6600"})
    assert "BRAND_COLOR #ff6600 is not legible on light pages" in mistake
    assert f"the nearest colour that is: {colors.nearest_legible('#ff6600', dark=False)}" in mistake
    load(
        {
            **ENOUGH,
            "BRAND_COLOR": colors.nearest_legible("#ff6600", dark=False),
            "BRAND_COLOR_DARK": "#ff6600",
        }
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BRAND_COLOR", "teal"),
        ("BRAND_LOGO", "/nowhere/logo.svg"),
        ("BRAND_LINKS", "Privacy"),
        ("BRAND_LINKS", "Privacy javascript:alert(1)"),
        ("BRAND_DIR", "/nowhere"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load({**ENOUGH, name: value})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "northbank/brand.toml is missing"),
        (NORTHBANK.replace("logo.svg", "other.svg"), "logo names the file other.svg, which is missing"),
        (NORTHBANK.replace("logo.svg", "../logo.svg"), "logo names the file ../logo.svg, which is missing"),
        (NORTHBANK.replace("#7a1f4b", "#ffee00"), "color #ffee00 is not legible on light pages"),
        (NORTHBANK.replace("#7a1f4b", "red"), "color must be a colour"),
        (NORTHBANK.replace("https://", "http://"), "links has an address"),
        ("nmae = 'x'", "nmae is not known"),
        ("name = [", "brand.toml cannot be read"),
    ],
)
def test_a_brand_without_its_files_stops_the_start(tmp_path: Path, text: str | None, said: str) -> None:
    folder = tmp_path / "northbank"
    folder.mkdir()
    (folder / "logo.svg").write_text("<svg/>", encoding="utf-8")
    if text is not None:
        (folder / "brand.toml").write_text(text, encoding="utf-8")
    assert said in "\n".join(mistakes({**ENOUGH, "BRAND_DIR": str(tmp_path)}))


def test_all_mistakes_of_a_brand_are_listed_at_once(tmp_path: Path) -> None:
    """Each start named one more."""
    folder = tmp_path / "northbank"
    folder.mkdir()
    (folder / "brand.toml").write_text(
        'logo = "gone.svg"\ncolor = "red"\nprivacy_policy_url = "x"\n', encoding="utf-8"
    )
    assert mistakes({**ENOUGH, "BRAND_DIR": str(tmp_path)}) == (
        "BRAND_DIR: northbank/brand.toml: logo names the file gone.svg, which is missing.",
        "BRAND_DIR: northbank/brand.toml: color must be a colour such as #0d5b52.",
        "BRAND_DIR: northbank/brand.toml: privacy_policy_url has an address that cannot be used:"
        " Not an address that begins with https://.",
    )


def test_a_brand_takes_what_it_does_not_say_from_the_settings(tmp_path: Path) -> None:
    folder = tmp_path / "northbank"
    folder.mkdir()
    (folder / "logo.svg").write_text("<svg/>", encoding="utf-8")
    (folder / "brand.toml").write_text(NORTHBANK, encoding="utf-8")
    values = {
        "brand_dir": tmp_path,
        "privacy_policy_url": "https://group.example/privacy",
        "brand_color": "#123456",
    }
    brands, faults = load_brands(values)
    assert faults == []
    brand = brands["northbank"]
    assert (brand.name, brand.privacy_policy_url) == ("Northbank", "https://group.example/privacy")
    assert brand.links == (("Privacy", "https://northbank.example/privacy"),)
    assert brand.stylesheet is not None
    assert "--accent: #7a1f4b" in brand.stylesheet
    assert "prefers-color-scheme: dark" in brand.stylesheet, "a dark colour is made of the light one"
