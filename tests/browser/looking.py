"""What a page must offer to everybody, measured in the browser itself: by axe, and what it leaves out.

Targets: https://www.w3.org/TR/WCAG22/#target-size-minimum, with 44 pixels for buttons instead of 24. Reflow:
https://www.w3.org/TR/WCAG22/#reflow.
"""

import os

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Frame, Page

AXE = Axe()
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

_SMALL = """
() => [...document.querySelectorAll("button, a.button, nav a, input:not([type=hidden])")]
  .filter((one) => one.checkVisibility())
  .map((one) => [one, (one.type === "checkbox" && one.closest("label") || one).getBoundingClientRect()])
  .filter(([, box]) => box.height < 44 || box.width < 24)
  .map(([one, box]) => `${(one.innerText || one.outerHTML).slice(0, 60)}: ${box.width}x${box.height}`)
"""

_WIDER = """
() => document.documentElement.scrollWidth > innerWidth
  ? [...document.querySelectorAll("body *")]
      .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
      .filter((one) => !one.closest(".visually-hidden")).map((one) => one.outerHTML.slice(0, 80)).slice(0, 5)
  : []
"""


def wider(page: Page | Frame) -> list[str]:
    """What does not fit into the width of the window."""
    return list(page.evaluate(_WIDER))


def violations(page: Page | Frame) -> list[str]:
    """What axe finds on the page as it is shown now."""
    results = AXE.run(page, options=RULES)
    return [
        f"{rule['id']}: {node['html'][:160]} {node['failureSummary'][:160]}"
        for rule in results.response["violations"]
        for node in rule["nodes"]
    ]


def faults(page: Page | Frame) -> list[str]:
    """What keeps somebody from using the page as it is shown now; by axe too, where ``RUN_ALL``."""
    page.wait_for_load_state("load")
    measures = {"small": _SMALL, "wider than the window": _WIDER}
    found = [f"{kind}: {fault}" for kind, script in measures.items() for fault in page.evaluate(script)]
    return found + (violations(page) if RUN_ALL else [])
