"""The pages at 320 pixels in a language of each direction: nothing is cut off, and every page can be used."""

import pytest
from playwright.sync_api import ViewportSize, expect

from tests.browser.conftest import OpenPage
from tests.browser.looking import faults
from tests.browser.stack import Stack
from tests.browser.visitor import at_link_page, authorise
from tests.support.effort import in_turn

BROKEN_WORDS = """
() => [...document.querySelectorAll(".readings span")].flatMap((label) => {
  const text = label.firstChild, range = document.createRange();
  return [...text.data.matchAll(/\\S+/g)].filter((word) => {
    range.setStart(text, word.index);
    range.setEnd(text, word.index + word[0].length);
    return new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size > 1;
  }).map(([word]) => word);
})
"""
"""Words in the list of what is read that are cut at the end of a line."""

NARROW: ViewportSize = {"width": 320, "height": 720}


@pytest.mark.parametrize(
    ("tag", "direction", "name", "label"),
    in_turn([("de", "ltr", "Deutsch", "Nach Namen suchen"), ("ar", "rtl", "العربية", "البحث بالاسم")], 2),
)
def test_pages_fit_and_read_in_both_directions(
    service: Stack, open_page: OpenPage, tag: str, direction: str, name: str, label: str
) -> None:
    _, url = service.sign_up(f"shop-{tag}", "Harbour Café")
    page = open_page(url, viewport=NARROW)
    page.get_by_role("link", name=name).click()
    expect(page.locator("html")).to_have_attribute("dir", direction)
    expect(page.get_by_label(label)).to_be_visible()
    assert faults(page) == []
    page.locator("button[value=gbol]").click()
    connection_id = at_link_page(page, service.state)
    authorise(page)
    page.wait_for_url("**/return?**")
    service.codat.change(connection_id, "complete-sync", outcomes={"invoices": "FetchError"})
    expect(page.locator(".readings .bad")).to_have_count(1)
    assert page.evaluate(BROKEN_WORDS) == []
    for path in ("", f"/connections/{connection_id}", "/manage", f"/connections/{connection_id}/delete"):
        if path or page.url.startswith(url):
            page.goto(url + path)
        expect(page.locator("html")).to_have_attribute("lang", tag)
        assert faults(page) == [], path
    page.goto(f"{url}/manage")
    logo, heading = page.locator(".managed .logo").first, page.locator(".managed .name").first
    logo_x, name_x = (place.bounding_box() for place in (logo, heading))
    assert logo_x is not None
    assert name_x is not None
    assert (logo_x["x"] < name_x["x"]) == (direction == "ltr")
