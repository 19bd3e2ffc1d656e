"""A report where no console is ours: as text for `print`, as HTML for a notebook.

Every text of the report is untrusted: names of hosts, of files, of packages. It is made harmless
and without secrets first; in HTML everything is escaped, and only our own tags have a meaning.
"""

from __future__ import annotations

import io
from functools import cache
from html import escape

from rich.console import Console, RenderableType
from rich.style import Style

from keptalive.records.plain import with_texts
from keptalive.records.report import Report
from keptalive.redaction import shown
from keptalive.render.report_sentences import About
from keptalive.render.terminal.report import screen

WIDTH = 80  # columns
HOSTS_SHOWN = 20
# Colours that can be read on white and on black
_COLOURS = {"green": "#2e8b57", "cyan": "#1e88a8", "yellow": "#a87808"}
_PRE = "white-space:pre;overflow-x:auto;line-height:normal;font-family:monospace"


def as_text(report: Report, about: About, *, width: int = WIDTH) -> str:
    """What a terminal shows of it, in so many columns, without colours."""
    console = _console(width)
    with console.capture() as captured:
        console.print(_screen(report, about))
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def as_html(report: Report, about: About) -> str:
    """The same with colours, as one element of HTML without scripts, classes or links."""
    console = _console(WIDTH)
    parts = []
    for line in console.render_lines(_screen(report, about), pad=False):
        parts += [_marked(text, style) for text, style, control in line if not control]
        parts.append("\n")
    return f'<pre style="{_PRE}">{"".join(parts)}</pre>'


def _screen(report: Report, about: About) -> RenderableType:
    return screen(with_texts(report, cache(shown)), hosts_shown=HOSTS_SHOWN, about=about)


def _console(width: int) -> Console:
    return Console(
        file=io.StringIO(),
        width=width,
        color_system=None,
        force_terminal=False,
        force_jupyter=False,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )


def _marked(text: str, style: Style | None) -> str:
    said = []
    if style is not None and style.bold:
        said.append("font-weight:bold")
    if style is not None and style.dim:
        said.append("opacity:.7")
    if style is not None and style.color is not None and style.color.name in _COLOURS:
        said.append(f"color:{_COLOURS[style.color.name]}")
    shown_text = escape(text)
    return f'<span style="{";".join(said)}">{shown_text}</span>' if said else shown_text
