"""Sparklines as paths of inline SVG. Pure."""

from collections.abc import Sequence

WIDTH, HEIGHT = 240, 48
_MARGIN = 3.0


def path(values: Sequence[float | None], highest: float) -> str:
    """The path of a curve; a gap where there is no value, and a dot for a value between two gaps."""
    steps = max(1, len(values) - 1)
    commands, is_drawing = [], False
    for number, value in enumerate(values):
        if value is None:
            is_drawing = False
            continue
        x = _MARGIN + (WIDTH - 2 * _MARGIN) * number / steps
        y = HEIGHT - _MARGIN - (HEIGHT - 2 * _MARGIN) * (value / highest if highest else 0)
        commands.append(f"{'L' if is_drawing else 'M'}{x:.1f} {y:.1f}" + ("" if is_drawing else "h.1"))
        is_drawing = True
    return "".join(commands)


def shown(value: float | None, unit: str) -> str:
    """A value with its unit: ``1,204``, ``12 ms``, ``1.4 s``, ``99.5 %``; a dash without one."""
    if value is None:
        return "\u2013"
    if unit == "ms" and value >= 1000:
        return f"{value / 1000:,.1f} s"
    if unit == "%":
        return f"{value:.1f} %".replace(".0 %", " %")
    return f"{value:,.0f} {unit}".strip()
