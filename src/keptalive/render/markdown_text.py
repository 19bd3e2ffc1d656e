"""Text that means nothing to Markdown, and that fits: for all that goes into a CI's summary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from keptalive.redaction import shown

HEADING = "## Connection reuse"


def safe(text: str) -> str:
    """The text as one line that means nothing to Markdown's tables, HTML and emphasis.

    Secrets go first: escaped, they would no longer look like any.
    """
    text = shown(text)
    for special in "\\`*_[]|~":
        text = text.replace(special, f"\\{special}")
    return " ".join(text.replace("&", "&amp;").replace("<", "&lt;").split())


def failed(what: str, why: str) -> str:
    """What stands there instead, where an error left nothing to show: "No comparison: ..."."""
    return f"{HEADING}\n\n**{what}: {safe(why)}**\n"


def table(headings: str, rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table's lines, each cell of which is `safe` already.

    Args:
        headings: "name|number:", where a colon sets numbers to the right.
        rows: as many cells each.
    """
    columns = headings.split("|")
    yield f"| {' | '.join(column.rstrip(':') for column in columns)} |"
    yield f"|{'|'.join('---:' if column.endswith(':') else '---' for column in columns)}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


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
