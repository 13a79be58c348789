"""Colours of a brand: contrast by WCAG 2.2, and the nearest colour that has enough of it. Pure.

https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
"""

import re

ENOUGH = 4.5
"""The contrast that text needs (AA)."""

WHITE, BLACK = "#ffffff", "#000000"
LIGHT_GROUNDS = ("#f6f5f1", "#ffffff", "#fbfaf7")
DARK_GROUNDS = ("#121615", "#1b201f", "#222827")
"""The grounds of the pages on which a brand's colour is text, in journey.css."""

ON_LIGHT, ON_DARK = "#ffffff", "#06231f"
"""The text on a button in the brand's colour."""

STEPS = 256

_HEX = re.compile(r"#[0-9a-f]{6}")


def parse_color(text: str) -> str:
    """``#rrggbb`` in lower case; raises ``ValueError``."""
    color = text.strip().lower()
    if not _HEX.fullmatch(color):
        raise ValueError("not a colour")
    return color


def contrast(first: str, second: str) -> float:
    """The contrast of two colours, 1 to 21."""
    high, low = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def is_legible(color: str, *, dark: bool) -> bool:
    """Whether the colour is legible as text on every ground, and under the text of a button."""
    grounds = (*DARK_GROUNDS, ON_DARK) if dark else (*LIGHT_GROUNDS, ON_LIGHT)
    return all(contrast(color, ground) >= ENOUGH for ground in grounds)


def nearest_legible(color: str, *, dark: bool) -> str:
    """The colour with the least of white (``dark``) or black mixed in that is legible."""
    steps = (mix(color, WHITE if dark else BLACK, step / STEPS) for step in range(STEPS + 1))
    return next(mixed for mixed in steps if is_legible(mixed, dark=dark))


def mix(color: str, other: str, share: float) -> str:
    """``color`` with ``share`` (0 to 1) of ``other``."""
    pairs = zip(_channels(color), _channels(other), strict=True)
    return "#" + "".join(f"{round(start + (end - start) * share):02x}" for start, end in pairs)


def _luminance(color: str) -> float:
    red, green, blue = (_linear(channel / 255) for channel in _channels(color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(value: float) -> float:
    return float(value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)


def _channels(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
