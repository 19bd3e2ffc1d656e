"""The end of a test: its tables on standard error, and its report in ``results/``."""

from __future__ import annotations

from contextlib import suppress
from functools import cache

from keptalive.cli.output import Screen
from keptalive.errors import UsageError
from keptalive.locust.master import Test, causes_of, report_of
from keptalive.locust.rows import rows
from keptalive.locust.table import reasons, table
from keptalive.records.plain import with_texts
from keptalive.records.report import Report
from keptalive.redaction import shown
from keptalive.render.report_sentences import About
from keptalive.render.terminal.report import screen
from keptalive.results.storing import RESULTS, save_report


def ends(test: Test) -> Report:
    """Show the report of this test, and save it."""
    causes = causes_of(test)
    report = report_of(test, causes)
    try:
        said = f"Saved {save_report(report, RESULTS)}"
    except UsageError as error:
        said = f"keptalive: {error}"
    narrator = Screen(stderr=True)
    with suppress(OSError):  # of a full disk, say: the report is saved
        narrator.print()
        if found := rows(test.classes()):
            narrator.print(table(found, width=narrator.width))
            narrator.print(reasons(found, causes, width=narrator.width))
            narrator.print()
        narrator.print(screen(with_texts(report, cache(shown)), about=About(name="locust")))
        narrator.print(said, style="dim", soft_wrap=True)
    return report
