"""Several brands behind one service: each company's pages and texts show its own."""

from pathlib import Path

import pytest

from processor.errors import Invalid
from tests.processor.web.conftest import OpenPlace
from tests.support.visiting import Place

LOGO = '<svg xmlns="http://www.w3.org/2000/svg"/>'
BRAND = """
name = "{name}"
support_email = "help@{key}.example"
color = "{color}"
logo = "logo.svg"
favicon = "logo.svg"
heading = "Share your accounts with {name}"
[links]
"Imprint" = "https://{key}.example/imprint"
"""


@pytest.fixture
def branded(open_place: OpenPlace, tmp_path: Path) -> Place:
    """A service with two brands besides its own."""
    for key, name, color in (("north", "Northbank", "#7a1f4b"), ("south", "Southbank", "#123f8a")):
        folder = tmp_path / key
        folder.mkdir()
        (folder / "logo.svg").write_text(LOGO, encoding="utf-8")
        text = BRAND.format(key=key, name=name, color=color)
        (folder / "brand.toml").write_text(text, encoding="utf-8")
    return open_place(BRAND_DIR=str(tmp_path), PRODUCT_NAME="The group", RETURN_URL="https://group.example/")


def test_each_company_sees_its_own_brand(branded: Place) -> None:
    visitor = branded.visitor()
    for key, name, color in (("north", "Northbank", "#7a1f4b"), ("south", "Southbank", "#123f8a")):
        company, _ = branded.desk.journey.sign_up(merchant_id=f"shop-{key}", name="Shop", brand=key)
        page = visitor.open(f"/connect/{company.connect_url.rpartition('/')[2]}")
        assert f"Share your accounts with {name}" in page.text
        assert f"Back to {name}" in page.text
        assert f"you agree that {name} has data read" in page.text
        assert f"help@{key}.example" in page.text
        assert f'<a href="https://{key}.example/imprint" rel="noreferrer">Imprint</a>' in page.answer.text
        assert 'class="mark"' not in page.answer.text
        for file, content in (("colors.css", f"--accent: {color}"), ("logo", LOGO), ("favicon", LOGO)):
            (address,) = {
                part for part in page.answer.text.split('"') if part.startswith(f"/brand/{key}/{file}?v=")
            }
            answer = visitor.http.get(address)
            assert content in answer.text
            assert "max-age=31536000" in answer.headers["Cache-Control"]
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_without_a_brand_the_settings_count_and_unknown_files_are_not_found(branded: Place) -> None:
    _, token = branded.company()
    visitor = branded.visitor()
    page = visitor.open(f"/connect/{token}")
    assert "The group" in page.text
    assert "/brand/" not in page.answer.text
    for path in ("/brand/default/logo", "/brand/north/brand.toml", "/brand/nobody/logo", "/brand/north/.."):
        assert visitor.http.get(path).status_code == 404, path


def test_an_unknown_brand_is_named(branded: Place) -> None:
    with pytest.raises(Invalid) as refused:
        branded.desk.journey.sign_up(merchant_id="shop", brand="east")
    assert set(refused.value.errors or {}) == {"brand"}
