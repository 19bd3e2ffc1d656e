"""Stacked bars in a table: which part of a request's time goes where."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

WIDTH = 20  # columns of the longest bar
# A glyph of its own for each, so that a screen without colours shows the same
MARKS = {
    "pool": ("■", "red"),
    "CA bundle": ("▓", "red"),
    "connect": ("▌", "yellow"),
    "TLS": ("█", "magenta"),
    "wait": ("░", "cyan"),
    "receive": ("▒", "blue"),
    "rest": ("·", "dim"),
}


def bar(parts: Sequence[tuple[str, float]], longest: float) -> Text:
    """One bar.

    Args:
        parts: names of `MARKS` and how large each is, in any unit.
        longest: what the whole width stands for, in the same unit.
    """
    drawn, before, at = [], 0.0, 0
    for name, value in parts:
        before += value
        # Each part ends where it would on a ruler, so that the whole has the right length
        end = min(round(WIDTH * before / longest), WIDTH) if longest > 0 else 0
        glyph, style = MARKS[name]
        drawn.append((glyph * (end - at), style))
        at = end
    return Text.assemble(*drawn)


def header(name: str) -> Text:
    """A column's name with its glyph."""
    glyph, style = MARKS[name]
    return Text.assemble((glyph, style), f" {name}")
