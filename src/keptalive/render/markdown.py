"""A comparison in Markdown, for a CI's summary of a job or a comment on a pull request."""

from __future__ import annotations

from keptalive.compare.verdicts import BETTER, WORSE
from keptalive.render.comparison_view import SIDES, View
from keptalive.render.markdown_text import HEADING, safe, table

_MARKS = {WORSE: "**worse**", BETTER: "better"}


def comparison(view: View) -> str:
    """The whole comparison; it begins with the verdict."""
    lines = [HEADING, ""]
    lines += [f"**{safe(line)}**  " for line in view.verdict]
    lines += ["", safe(view.sides) + "  ", safe(view.surroundings)]
    lines += [line for warning in view.warnings for line in ("", f"> {safe(warning)}")]
    for one in view.tables:
        lines += ["", f"### {safe(one.title)}", ""]
        lines += table(_headings(one.labels), map(_row, one.rows))
        lines += [line for note in (*one.notes, *one.reasons) for line in ("", safe(note))]
    lines += [text for line in view.more for text in ("", safe(line))]
    return "\n".join(lines) + "\n"


def _headings(labels: int) -> str:
    *numbers, verdict = SIDES
    return "|".join([*[""] * labels, *(f"{number}:" for number in numbers), verdict])


def _row(cells: tuple[str, ...]) -> list[str]:
    *others, verdict = cells
    return [*map(safe, others), _MARKS.get(verdict, safe(verdict))]
