"""Plots of figures as SVG, drawn without a library."""

from collections.abc import Mapping, Sequence

ROW, LEFT, WIDTH = 34, 360, 900
AFTER, BEFORE = "#3b6ea8", "#c9ccd1"


def bars(values: Mapping[str, float], before: Mapping[str, float], unit: str) -> str:
    """Horizontal bars: each value in its unit, above the value of the same name in ``before``."""
    most = max([*values.values(), *(before.get(name, 0.0) for name in values)])
    parts = []
    for number, (name, value) in enumerate(values.items()):
        top = number * ROW + 8
        parts.append(_label(LEFT - 8, top + 17, name, "end"))
        for offset, amount, fill in ((0, value, AFTER), (14, before.get(name), BEFORE)):
            if amount is not None:
                length = (WIDTH - LEFT - 110) * amount / most
                parts.append(
                    f'<rect x="{LEFT}" y="{top + offset}" width="{length:.1f}" height="13" fill="{fill}"/>'
                )
                parts.append(_label(LEFT + length + 6, top + offset + 11, f"{amount:,.0f} {unit}"))
    return _svg(WIDTH, len(values) * ROW + 16, parts)


def lines(series: Mapping[str, Sequence[tuple[float, float]]], x_title: str, y_title: str) -> str:
    """One line for each series of (x, y), from 0 on both axes, its last point labelled with its name."""
    width, height, margin = 640, 360, 60
    most_x = max(x for points in series.values() for x, _ in points)
    most_y = max(y for points in series.values() for _, y in points)
    parts = [
        f'<path d="M{margin} 10V{height - margin}H{width - 10}" fill="none" stroke="#444"/>',
        _label(width - 10, height - margin + 36, x_title, "end"),
        _label(margin + 6, 22, y_title),
    ]

    def place(x: float, y: float) -> tuple[float, float]:
        across = margin + (width - margin - 170) * x / most_x
        return across, height - margin - (height - margin - 40) * y / most_y

    for number, (name, points) in enumerate(series.items()):
        fill = (AFTER, "#b5542d", "#4c8c4a", "#7a4fa3")[number % 4]
        places = [place(x, y) for x, y in points]
        path = "L".join(f"{across:.1f} {down:.1f}" for across, down in places)
        parts.append(f'<path d="M{path}" fill="none" stroke="{fill}" stroke-width="2"/>')
        for (across, down), (x, _) in zip(places, points, strict=True):
            parts.append(f'<circle cx="{across:.1f}" cy="{down:.1f}" r="3" fill="{fill}"/>')
            parts.append(_label(across, height - margin + 16, f"{x:,.0f}", "middle"))
        parts.append(_label(places[-1][0] + 8, places[-1][1] + 4, f"{name}: {points[-1][1]:,.0f}"))
    return _svg(width, height, parts)


def _label(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def _svg(width: int, height: int, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="12"><rect width="{width}" height="{height}" fill="white"/>{"".join(parts)}</svg>\n'
    )
