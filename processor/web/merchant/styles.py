"""The rules for how a page looks: within it on a browser's first visit, later in a file that browsers keep.

On a slow network a file costs a round trip before anything is shown. The first page loads it for the next
one, as rules for print, which delay nothing.
"""

import base64
import functools
import hashlib
from pathlib import Path

from markupsafe import Markup

from processor.settings.brands import Brand
from processor.web import cookies, csrf

_FILE = Path(__file__).parents[1] / "static" / "journey" / "journey.css"


def inline(brand: Brand) -> Markup | None:
    """The rules for a page of this brand; ``None`` for a browser that was here before."""
    if cookies.get(csrf.COOKIE):
        return None
    return Markup(_rules() + (brand.stylesheet or ""))  # noqa: S704 - files and colours of ours


@functools.lru_cache(maxsize=256)
def source_of(text: str) -> str:
    """The source of a policy that allows exactly these rules. https://www.w3.org/TR/CSP3/#grammardef-hash-source"""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@functools.cache
def _rules() -> str:
    return _FILE.read_text(encoding="utf-8")
