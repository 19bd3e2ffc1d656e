"""The files that `keptalive run` writes of its report: JSON, a page, traces, what it saves.

Until the program starts, nothing is imported that only the report needs.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from keptalive.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from keptalive.cli.pictures import Pictures
    from keptalive.cli.running import Options
    from keptalive.records.report import Report


def check(options: Options) -> None:
    """Find out whether all of these files can be written, and leave no new one behind.

    Raises:
        UsageError: one cannot, or a package that it needs is missing.
    """
    named = {
        "--json": options.json_file,
        "--html": options.html,
        "--har": options.har,
        "--perfetto": options.perfetto,
    }
    for option, file in named.items():
        if file is not None:
            check_writable(file, option)
    if options.perfetto is not None:
        from keptalive.render.perfetto import check_installed

        check_installed()
    if options.save:
        from keptalive.results import storing

        storing.check_writable(
            storing.RESULTS, next_step="keptalive run --json FILE, where you may write"
        )


def written(report: Report, options: Options) -> Iterator[str]:
    """Write the report to its files: what is to be said of that."""
    if options.json_file is not None:
        from keptalive.results.reports import to_json

        try:
            options.json_file.write_text(to_json(report) + "\n", encoding="utf-8")
        except OSError as error:
            yield f"keptalive: {_unwritable(options.json_file, error, '--json')}"
    if options.html or options.har or options.perfetto:
        yield from _pictures(report, options)
    if options.save:
        from keptalive.results.storing import RESULTS, save_report

        try:
            yield f"Saved {save_report(report, RESULTS)}"
        except UsageError as error:
            yield f"keptalive: {error}"


def _pictures(report: Report, options: Options) -> Iterator[str]:
    """Each by itself: what cannot be written does not keep the others from it."""
    from keptalive.cli.pictures import Pictures

    yield from _picture(report, Pictures(html=options.html))
    yield from _picture(report, Pictures(har=options.har))
    yield from _picture(report, Pictures(perfetto=options.perfetto))


def _picture(report: Report, wanted: Pictures) -> Iterator[str]:
    from keptalive.cli.pictures import write

    try:
        for file in write(wanted, report):
            yield f"Wrote {file}"
    except UsageError as error:
        yield f"keptalive: {error}"


def check_writable(file: Path, option: str) -> None:
    """Find out whether this file can be written, and leave no new one behind.

    Raises:
        UsageError: it cannot; ``option`` is the one that named it.
    """
    if str(file) == "-":
        raise UsageError(f"Standard output is the program's own. Next: {option} FILE.")
    try:
        existed = file.exists()
        # not blocking: a pipe without a reader would keep us here
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o666))
        if not existed:
            file.resolve().unlink()
    except OSError as error:
        if error.errno != errno.ENXIO:  # a pipe without a reader: one may come
            raise UsageError(_unwritable(file, error, option)) from None


def _unwritable(file: Path, error: OSError, option: str) -> str:
    return f"{file} cannot be written: {error.strerror}. Next: {option} with another file."
