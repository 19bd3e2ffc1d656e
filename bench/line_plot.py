"""A plot of a few lines over a logarithmic axis, as SVG: readable on a light and a dark page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 720, 320
LEFT, RIGHT, TOP, BOTTOM = 60, 40, 50, 40  # at the right, half of the last number
COLOURS = ("#0969da", "#bf5600", "#1a7f37", "#8250df")

Line = Sequence[tuple[float, float]]


def plot(title: str, lines: Mapping[str, Line], *, unit: str) -> str:
    """These lines; y begins at 0, so that what is flat looks flat."""
    points = [point for line in lines.values() for point in line]
    first, last = (math.log10(find(x for x, _ in points)) for find in (min, max))
    highest = _round_up(max(y for _, y in points) * 1.1)

    def at(x: float, y: float) -> tuple[float, float]:
        share = (math.log10(x) - first) / max(last - first, 1e-9)
        across = LEFT + share * (WIDTH - LEFT - RIGHT)
        return across, HEIGHT - BOTTOM - y / highest * (HEIGHT - TOP - BOTTOM)

    style = 'role="img" font-family="sans-serif" font-size="13" fill="#6e7781"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"',
        f"{style}><title>{title}</title>",
        f'<text x="{LEFT}" y="20" font-weight="bold">{title}</text>',
    ]
    for power in range(math.ceil(first), math.floor(last) + 1):
        x, y = at(10**power, 0)
        parts.append(
            f'<text x="{x:.0f}" y="{y + 20:.0f}" text-anchor="middle">{10**power:,}</text>'
        )
    for step in range(5):
        x, y = at(10**first, highest * step / 4)
        parts.append(
            f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#8c959f" stroke-opacity=".4"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.0f}" text-anchor="end">'
            f"{highest * step / 4:g} {unit}</text>"
        )
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = "L".join("{:.1f} {:.1f}".format(*at(x, y)) for x, y in line)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="3" fill="{colour}"/>'
            for cx, cy in (at(x, y) for x, y in line)
        ]
        parts.append(f'<text x="{LEFT + number * 240}" y="40" fill="{colour}">● {name}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _round_up(value: float) -> float:
    """The next number that has one digit, and divides well by 4."""
    power = 10 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= value)
