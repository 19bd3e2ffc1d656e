"""`keptalive compare`: two results or reports, verdicts, the gate, and what a CI wants of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from keptalive import results
from keptalive.bench.gate import judge
from keptalive.bench.plan import gate_of
from keptalive.cli import completion, pictures
from keptalive.cli.ci import Annotation, errors_reported_to_ci, report_to_ci
from keptalive.cli.exit_codes import GATE_FAILED, NOT_COMPARABLE
from keptalive.cli.guarding import guard_of
from keptalive.cli.output import Screen, print_json
from keptalive.compare import report_findings
from keptalive.compare.findings import (
    REGRESSION,
    Findings,
    Source,
    causes_of_more,
    differences,
    labels,
    warnings,
)
from keptalive.compare.host_patterns import HostPattern, host_pattern
from keptalive.compare.reports import OF_COUNTS, without_hosts
from keptalive.compare.verdicts import Guard
from keptalive.compare.verdicts import compare as compared
from keptalive.errors import UsageError
from keptalive.records.run import Run
from keptalive.redaction import shown, without_secrets
from keptalive.render import exports, markdown
from keptalive.render.comparison_view import View, of_results
from keptalive.render.report_tables import of_reports
from keptalive.render.terminal import comparison
from keptalive.results.storage import StorageUrl, is_storage_url, storage_url
from keptalive.text import as_json as json_text

BaselineArgument = Annotated[
    str,
    typer.Argument(
        help="A result or report, a name in results/, or a folder: its newest result, or all its "
        "reports. Or a storage URL (bench --storage): its newest result, or URL#NAME.",
    ),
]
CandidateArgument = Annotated[str, typer.Argument(help="The same: the new one.")]
FailOnOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WHAT",
        autocompletion=completion.guarded_measures,
        help="What fails the build: opened, reopened, attempts, counts (those three), time, "
        "time:15%; several with commas. Or nothing: a report only, exit code 0 whatever it "
        "finds, a broken [gate] too. [default: counts,time:10%; of reports: counts]",
    ),
]
IgnoreOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="HOST", help="Of reports: leave out this host, or *.HOST; several with commas."
    ),
]
AbsoluteOption = Annotated[
    bool,
    typer.Option(
        "--absolute", help="Compare seconds a request, not times relative to requests.get."
    ),
]
ExportOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FORMAT=FILE",
        autocompletion=completion.exports,
        help="Write the candidate for github-action-benchmark or bencher; repeatable.",
    ),
]
HtmlOption = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write the comparison as a page too.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the comparison as JSON instead of tables.")
]


def compare(
    baseline: BaselineArgument = str(results.BASELINE),
    candidate: CandidateArgument = str(results.RESULTS),
    fail_on: FailOnOption = None,
    ignore: IgnoreOption = None,
    absolute: AbsoluteOption = False,
    export: ExportOption = None,
    html: HtmlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check that connections are reused as before, and that requests are as fast: a gate for CI.

    It compares two results of keptalive bench, or two reports of your own program: of keptalive run
    --json, watch().report() or keptalive explain --json. A folder of reports is several runs.

    Counts are compared exactly: one more connection a run is a regression. Reports with other
    numbers of requests are compared per request. Times of results are relative to
    requests.get in the same result, so that a machine slower at everything does not show; between
    unlike machines they may still differ: --fail-on counts. A time is a regression only if its
    whole 95 % interval lies beyond the threshold. The limits of the candidate's plan ([gate]) hold
    too.

    Exit codes: 0 fine; 1 a regression or a broken limit; 2 a file that cannot be read, results
    that cannot be compared, or a limit that could not be judged.
    """
    with errors_reported_to_ci("keptalive compare", "no comparison"):
        guard_of(fail_on or [])  # wrong usage comes before unreadable files
        exported = [_export_of(value) for value in export or []]
        ignored = [_pattern(word) for one in ignore or [] for word in one.split(",")]
        before, after = results.read_both(_side(baseline), _side(candidate))
        if isinstance(before, results.Saved) and isinstance(after, results.Saved):
            _refuse(OF_REPORTS, {"--ignore": ignored})
            findings = _of_results(before, after, guard_of(fail_on or []), absolute=absolute)
            for name, file in exported:
                _write(file, json_text(without_secrets(exports.EXPORTS[name](after.run))))
            view = of_results(findings)
            document = exports.document(findings, view) if as_json else None
            _show(findings, view, document, html)
        elif isinstance(before, results.Reports) and isinstance(after, results.Reports):
            _refuse(OF_RESULTS, {"--absolute": absolute, "--export": exported})
            guard = guard_of(fail_on or [], OF_COUNTS)
            _compare_reports(before, after, guard, ignored, html, as_json=as_json)


def _side(written: str) -> Path | StorageUrl:
    return storage_url(written) if is_storage_url(written) else Path(written)


def _compare_reports(
    before: results.Reports,
    after: results.Reports,
    guard: Guard,
    ignored: Sequence[HostPattern],
    html: Path | None,
    *,
    as_json: bool,
) -> None:
    sides = [
        (shown(str(side.path)), [without_hosts(one, ignored) for one in side.reports])
        for side in (before, after)
    ]
    findings = report_findings.found(sides[0], sides[1], guard=guard)
    view = of_reports(findings)
    document = exports.document_of_reports(findings, view) if as_json else None
    _show(findings, view, document, html)


def _show(
    findings: Findings | report_findings.ReportFindings,
    view: View,
    document: dict[str, Any] | None,
    html: Path | None,
) -> None:
    """Print the screen, or the document; report to the CI; end with the code of the outcome."""
    for _ in pictures.write(pictures.Pictures(html=html), view):
        pass
    if document is not None:
        print_json(document)
    else:
        screen = Screen()
        screen.print(comparison.screen(view, width=screen.width))
    annotation = Annotation(view.headline, "\n".join(view.in_full), view.place)
    report_to_ci(
        markdown.comparison(view),
        annotation if view.fails else None,
        stderr=document is not None,
    )
    if view.fails:
        raise typer.Exit(GATE_FAILED if findings.outcome == REGRESSION else NOT_COMPARABLE)


OF_REPORTS, OF_RESULTS = "reports of a program", "results of keptalive bench"


def _refuse(whose: str, options: Mapping[str, object]) -> None:
    """Refuse an option that means nothing for what is compared."""
    for option, value in options.items():
        if value:
            raise UsageError(f"{option} is for {whose}. Next: leave it out.")


def _pattern(written: str) -> HostPattern:
    try:
        return host_pattern(written.strip())
    except ValueError as error:
        raise UsageError(f'--ignore: "{written}" must be {error}.') from None


def _of_results(
    before: results.Saved, after: results.Saved, guard: Guard, *, absolute: bool
) -> Findings:
    before, after = _valid(before), _valid(after)
    sides = [(_source(saved), saved.run) for saved in (before, after)]
    gate = gate_of(after.run.plan, source=f"The result {after.path}")
    return Findings(
        baseline=sides[0][0],
        candidate=sides[1][0],
        comparison=compared(before.run, after.run, guard=guard, absolute=absolute),
        gate=judge(after.run, gate),
        differences=differences(before.run, after.run),
        warnings=warnings(*sides, absolute=absolute),
        labels={**labels(before.run), **labels(after.run)},
        causes=causes_of_more(before.run, after.run),
        of_programs=bool(after.run.plan.get("program")),
    )


def _source(saved: results.Saved) -> Source:
    return Source(
        path=shown(str(saved.path)), made=saved.made, commit=saved.commit, machine=saved.machine
    )


def _valid(saved: results.Saved) -> results.Saved:
    run: Run = saved.run
    if not run.valid:
        raise UsageError(f"{saved.path} is no result: {run.disagreements[0]} {_AGAIN}")
    if not run.summary:
        raise UsageError(
            f"{saved.path} has no counted round: it ended too soon ({run.ended}). {_AGAIN}"
        )
    return saved


_AGAIN = "Next: run keptalive bench again."


# -- Exports -------------------------------------------------------------------------------------


def _export_of(value: str) -> tuple[str, Path]:
    name, given, file = value.partition("=")
    if name not in exports.EXPORTS or not given or not file:
        known = " or ".join(f"{known}=FILE" for known in exports.EXPORTS)
        raise UsageError(f"--export {value} must be {known}.")
    return name, Path(file)


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{file} cannot be written: {error.strerror}. Next: --export to another FILE."
        ) from None
