"""What a page must offer to everybody, measured in the browser itself: by axe, and what it leaves out.

Targets: https://www.w3.org/TR/WCAG22/#target-size-minimum, with 44 pixels for buttons instead of 24. Reflow:
https://www.w3.org/TR/WCAG22/#reflow. What scrolls by itself and takes no focus:
https://www.w3.org/TR/WCAG22/#keyboard.
"""

import os
from dataclasses import dataclass
from typing import Any, Literal

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Frame, Page

from tests.browser.chrome import DESK, PHONE

RUN_ALL = os.environ.get("AXE") == "all"
"""Whether axe looks at every page in every language, brand, colour and width, and within other tests."""

RULES = {
    "runOnly": [
        *("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"),
    ],
    "resultTypes": ["violations"],
    "preload": False,  # no rule that runs needs style sheets or media
}
"""Rules of axe that count. https://www.deque.com/axe/core-documentation/api-documentation/"""

_RUN = """
async (rules) => {
  const { passes, violations } = await axe.run(document, rules);
  const faults = violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) =>
    `${id}: ${html.slice(0, 160)} ${failureSummary.slice(0, 160)}`));
  return { passed: passes.length, faults };
}
"""
FEWEST_PASSED = 10
"""How many rules hold on the barest page; fewer were none of axe's looks at it."""

_WIDER = """
() => document.documentElement.scrollWidth > innerWidth
  ? [...document.querySelectorAll("body *")]
      .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
      .filter((one) => !one.closest(".visually-hidden")).map((one) => one.outerHTML.slice(0, 80)).slice(0, 5)
  : []
"""

_MEASURES = {
    "small": """
() => [...document.querySelectorAll("button, a.button, nav a, input:not([type=hidden])")]
  .filter((one) => one.checkVisibility())
  .map((one) => [one, (one.type === "checkbox" && one.closest("label") || one).getBoundingClientRect()])
  .filter(([, box]) => box.height < 44 || box.width < 24)
  .map(([one, box]) => `${(one.innerText || one.outerHTML).slice(0, 60)}: ${box.width}x${box.height}`)
""",
    "wider than the window": _WIDER,
    "scrolls without focus": """
() => [...document.querySelectorAll("body *")]
  .filter((one) => one.checkVisibility() && /auto|scroll/.test(getComputedStyle(one).overflowY))
  .filter((one) => one.scrollHeight > one.clientHeight + 1 || one.scrollWidth > one.clientWidth + 1)
  .filter((one) => one.tabIndex < 0 && !one.querySelector("a, button, input"))
  .map((one) => one.outerHTML.slice(0, 100))
""",
    "badge of more than one line": """
() => [...document.querySelectorAll(".badge")].filter((one) => one.checkVisibility()).filter((one) => {
  const text = document.createRange();
  text.selectNodeContents(one);
  return new Set([...text.getClientRects()].map((box) => Math.round(box.top))).size > 1;
}).map((one) => one.outerHTML)
""",
}
_MEASURE = f"() => [{', '.join(f'({script})()' for script in _MEASURES.values())}]"

Scheme = Literal["light", "dark"]


@dataclass(frozen=True, slots=True)
class Look:
    """How an open page is shown."""

    width: int
    scheme: Scheme

    def dress(self, page: Page) -> None:
        """Have the browser show the page so; no script of ours asks for width or colours."""
        page.set_viewport_size({"width": self.width, "height": 900})
        page.emulate_media(color_scheme=self.scheme)
        shown = page.evaluate("[innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]")
        assert shown == [self.width, self.scheme == "dark"]


LIGHT_DESK, DARK_PHONE = Look(DESK["width"], "light"), Look(PHONE["width"], "dark")


def wider(page: Page | Frame) -> list[str]:
    """What does not fit into the width of the window."""
    return list(page.evaluate(_WIDER))


def violations(page: Page | Frame) -> list[str]:
    """What axe finds on the page as it is shown now; a page that was looked at before has axe already."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    result: dict[str, Any] = page.evaluate(_RUN, RULES)
    assert result["passed"] >= FEWEST_PASSED, f"axe saw nothing at {page.url}"
    return list(result["faults"])


def faults(page: Page | Frame) -> list[str]:
    """What keeps somebody from using the page as it is shown now; by axe too, where ``RUN_ALL``."""
    page.wait_for_load_state("load")
    results: list[list[str]] = page.evaluate(_MEASURE)
    found = [f"{kind}: {fault}" for kind, result in zip(_MEASURES, results, strict=True) for fault in result]
    return found + (violations(page) if RUN_ALL else [])


def faults_in_both(page: Page) -> list[str]:
    """The same on a desk in light colours and on a phone in dark ones; then the window is as it was."""
    size = page.viewport_size
    assert size is not None
    found = []
    for look in (DARK_PHONE, LIGHT_DESK):
        look.dress(page)
        found += [f"{look} {fault}" for fault in faults(page)]
    page.set_viewport_size(size)
    return found
