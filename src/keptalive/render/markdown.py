"""A comparison in Markdown, for a CI's summary of a job or a comment on a pull request."""

from __future__ import annotations

from keptalive.bench.titles import scenario_title
from keptalive.compare.findings import Findings
from keptalive.compare.verdicts import BETTER, WORSE
from keptalive.redaction import shown
from keptalive.render import cells, sentences

_MARKS = {WORSE: "**worse**", BETTER: "better"}


def comparison(findings: Findings) -> str:
    """The whole comparison; it begins with the verdict."""
    lines = ["## Connection reuse", ""]
    lines += [f"**{_safe(line)}**  " for line in sentences.verdict(findings)]
    lines += ["", _safe(sentences.sides(findings)) + "  ", _safe(sentences.surroundings(findings))]
    lines += [line for warning in findings.warnings for line in ("", f"> {_safe(warning)}")]
    for scenario in dict.fromkeys(row.scenario for row in findings.comparison.rows):
        lines += ["", f"### {_safe(scenario_title(scenario))}", ""]
        lines += _table(findings, scenario)
        lines += [
            line for why in sentences.reasons(findings, scenario) for line in ("", _safe(why))
        ]
    return "\n".join(lines) + "\n"


def no_comparison(why: str) -> str:
    """What stands there instead, where an error left nothing to compare."""
    return f"## Connection reuse\n\n**No comparison: {_safe(why)}**\n"


def _table(findings: Findings, scenario: str) -> list[str]:
    lines = ["| | | baseline | candidate | change | verdict |", "|---|---|---:|---:|---:|---|"]
    for row in cells.rows_to_show(findings, scenario):
        *figures, verdict = cells.cells(findings, row)
        label = findings.labels[row.strategy]
        safe = [_safe(cell) for cell in (label, *figures)] + [_MARKS.get(verdict, _safe(verdict))]
        lines.append(f"| {' | '.join(safe)} |")
    return lines


def _safe(text: str) -> str:
    """The text as one line that means nothing to Markdown's tables, HTML and emphasis.

    Secrets go first: escaped, they would no longer look like any.
    """
    text = shown(text)
    for special in "\\`*_[]|~":
        text = text.replace(special, f"\\{special}")
    return " ".join(text.replace("&", "&amp;").replace("<", "&lt;").split())


def cut_to(text: str, limit_bytes: int) -> str:
    """The text if it fits, else as many whole lines as do, and a line that says so."""
    if len(text.encode()) <= limit_bytes:
        return text
    note = "\n\n(The rest does not fit here: the job's log has all of it.)\n"
    room = limit_bytes - len(note.encode())
    if room <= 0:
        return ""
    whole_lines = text.encode()[:room].decode(errors="ignore").rpartition("\n")[0]
    return whole_lines + note
