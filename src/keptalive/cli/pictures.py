"""Writes pages and traces, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from keptalive.errors import UsageError
from keptalive.records.report import Report
from keptalive.records.run import Run
from keptalive.render.comparison_view import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Which files are wanted; None: not this one."""

    html: Path | None = None
    har: Path | None = None
    perfetto: Path | None = None


def write(wanted: Pictures, contents: Report | Run | View, *, made: str = "") -> Iterator[Path]:
    """Write these files; each is named when it is there.

    Args:
        wanted: of a run and of a view, only the page.
        contents: what they show.
        made: when a run was made.

    Raises:
        UsageError: a file cannot be written, there is nothing for it, or a package is missing.
    """
    if wanted.html is not None:
        _write(wanted.html, _page(contents, made).encode())
        yield wanted.html
    if isinstance(contents, Report) and wanted.har is not None:
        from keptalive.redaction import without_secrets
        from keptalive.render.har import har
        from keptalive.text import as_json

        _write(wanted.har, f"{as_json(without_secrets(har(contents)))}\n".encode())
        yield wanted.har
    if isinstance(contents, Report) and wanted.perfetto is not None:
        from keptalive.records.plain import with_texts
        from keptalive.redaction import shown
        from keptalive.render.perfetto import trace

        _write(wanted.perfetto, trace(with_texts(contents, shown)))
        yield wanted.perfetto


def _page(contents: Report | Run | View, made: str) -> str:
    from keptalive.render import html

    if isinstance(contents, Report):
        return html.of_report(contents)
    if isinstance(contents, Run):
        return html.of_run(contents, made=made)
    return html.of_comparison(contents)


def _write(file: Path, content: bytes) -> None:
    try:
        if file.exists() and not file.is_file():  # a device or a pipe: nothing to be kept
            file.write_bytes(content)
            return
        finished = file.resolve()
        unfinished = finished.with_name(f".{finished.name}.{os.getpid()}")
        try:
            unfinished.write_bytes(content)
            unfinished.replace(finished)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(
            f"{file} cannot be written: {error.strerror}. Next: another file."
        ) from None
