"""`keptalive compare`: two results, verdicts, the gate, and what a CI wants of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keptalive import results
from keptalive.bench.gate import judge
from keptalive.bench.plan import gate_of
from keptalive.cli.ci import Annotation, errors_reported_to_ci, report_to_ci
from keptalive.cli.exit_codes import GATE_FAILED, NOT_COMPARABLE
from keptalive.cli.guarding import guard_of
from keptalive.cli.output import Screen, print_json
from keptalive.compare.findings import (
    FINE,
    REGRESSION,
    Findings,
    Source,
    causes_of_more,
    differences,
    warnings,
)
from keptalive.compare.verdicts import Guard
from keptalive.compare.verdicts import compare as compared
from keptalive.errors import UsageError
from keptalive.records.run import Run
from keptalive.redaction import shown, without_secrets
from keptalive.render import exports, markdown, sentences
from keptalive.render.terminal import comparison
from keptalive.text import as_json as json_text

BaselineArgument = Annotated[
    Path, typer.Argument(help="A result file, a name in results/, or a folder: its newest.")
]
CandidateArgument = Annotated[Path, typer.Argument(help="The same: the new result.")]
FailOnOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WHAT",
        help="What fails the build: opened, reopened, attempts, counts (those three), time, "
        "time:15%; several with commas. Or nothing: a report only, exit code 0 whatever it "
        "finds, a broken [gate] too. [default: counts,time:10%]",
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
        help="Write the candidate for github-action-benchmark or bencher; repeatable.",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the comparison as JSON instead of tables.")
]


def compare(
    baseline: BaselineArgument = results.BASELINE,
    candidate: CandidateArgument = results.RESULTS,
    fail_on: FailOnOption = None,
    absolute: AbsoluteOption = False,
    export: ExportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check that connections are reused as before, and that requests are as fast: a gate for CI.

    Counts are compared exactly: one more connection a run is a regression. Times are relative to
    requests.get in the same result, so that a machine slower at everything does not show; between
    unlike machines they may still differ: --fail-on counts. A time is a regression only if its
    whole 95 % interval lies beyond the threshold. The limits of the candidate's plan ([gate]) hold
    too.

    Exit codes: 0 fine; 1 a regression or a broken limit; 2 a file that cannot be read, results
    that cannot be compared, or a limit that could not be judged.
    """
    with errors_reported_to_ci("keptalive compare", "no comparison"):
        _compare(
            baseline,
            candidate,
            guard_of(fail_on or []),
            absolute=absolute,
            export=export or [],
            as_json=as_json,
        )


def _compare(
    baseline: Path,
    candidate: Path,
    guard: Guard,
    *,
    absolute: bool,
    export: list[str],
    as_json: bool,
) -> None:
    exported = [_export_of(value) for value in export]
    before, after = (_valid(results.read(results.find(named))) for named in (baseline, candidate))
    findings = _found(before, after, guard, absolute=absolute)
    for name, file in exported:
        _write(file, json_text(without_secrets(exports.EXPORTS[name](after.run))))
    if as_json:
        print_json(exports.document(findings))
    else:
        screen = Screen()
        screen.print(comparison.screen(findings, width=screen.width))
    report_to_ci(markdown.comparison(findings), _annotation(findings), stderr=as_json)
    if findings.outcome != FINE:
        raise typer.Exit(GATE_FAILED if findings.outcome == REGRESSION else NOT_COMPARABLE)


def _annotation(findings: Findings) -> Annotation | None:
    if findings.outcome == FINE:
        return None
    return Annotation(sentences.headline(findings), "\n".join(sentences.in_full(findings)))


def _found(
    before: results.Saved, after: results.Saved, guard: Guard, *, absolute: bool
) -> Findings:
    sides = [(_source(saved), saved.run) for saved in (before, after)]
    gate = gate_of(after.run.plan, source=f"The result {after.path}")
    return Findings(
        baseline=sides[0][0],
        candidate=sides[1][0],
        comparison=compared(before.run, after.run, guard=guard, absolute=absolute),
        gate=judge(after.run, gate),
        differences=differences(before.run, after.run),
        warnings=warnings(*sides, absolute=absolute),
        labels={**before.run.labels, **after.run.labels},
        causes=causes_of_more(before.run, after.run),
    )


def _source(saved: results.Saved) -> Source:
    return Source(
        path=shown(str(saved.path)), made=saved.made, commit=saved.commit, machine=saved.machine
    )


def _valid(saved: results.Saved) -> results.Saved:
    run: Run = saved.run
    if not run.valid:
        raise UsageError(f"{saved.path} is no result: {run.disagreements[0]}")
    if not run.summary:
        raise UsageError(f"{saved.path} has no counted round: it ended too soon ({run.ended}).")
    return saved


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
        raise UsageError(f"{file} cannot be written: {error.strerror}.") from None
