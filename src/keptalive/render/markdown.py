"""A comparison in Markdown, for a CI's summary of a job or a comment on a pull request."""

from __future__ import annotations

from collections.abc import Iterator

from keptalive.bench.titles import scenario_title
from keptalive.compare.findings import Findings
from keptalive.compare.verdicts import BETTER, WORSE
from keptalive.render import cells, sentences
from keptalive.render.markdown_text import HEADING, safe, table

_MARKS = {WORSE: "**worse**", BETTER: "better"}


def comparison(findings: Findings) -> str:
    """The whole comparison; it begins with the verdict."""
    lines = [HEADING, ""]
    lines += [f"**{safe(line)}**  " for line in sentences.verdict(findings)]
    lines += ["", safe(sentences.sides(findings)) + "  ", safe(sentences.surroundings(findings))]
    lines += [line for warning in findings.warnings for line in ("", f"> {safe(warning)}")]
    for scenario in dict.fromkeys(row.scenario for row in findings.comparison.rows):
        lines += ["", f"### {safe(scenario_title(scenario))}", ""]
        lines += table("||baseline:|candidate:|change:|verdict", _rows(findings, scenario))
        lines += [line for why in sentences.reasons(findings, scenario) for line in ("", safe(why))]
    return "\n".join(lines) + "\n"


def _rows(findings: Findings, scenario: str) -> Iterator[list[str]]:
    for row in cells.rows_to_show(findings, scenario):
        *figures, verdict = cells.cells(findings, row)
        label = findings.labels[row.strategy]
        yield [*map(safe, (label, *figures)), _MARKS.get(verdict, safe(verdict))]
