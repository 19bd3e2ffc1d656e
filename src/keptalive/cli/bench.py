"""`keptalive bench`: the options, the progress bar, the tables, the file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from keptalive import interruption, results
from keptalive.bench import runner as benching
from keptalive.bench.gate import Gate, judge
from keptalive.bench.influences import refuse_overwritten_urllib3
from keptalive.bench.own_strategies import strategies_named
from keptalive.bench.plan import Plan, gate_of, read_plan, with_values
from keptalive.bench.programs.plan import of_options
from keptalive.bench.programs.runner import ProgramBench, serving
from keptalive.bench.summary import MINIMUM_ROUNDS
from keptalive.bench.targets import Target, prepared
from keptalive.cli import completion
from keptalive.cli.bench_progress import shown_progress
from keptalive.cli.exit_codes import GATE_FAILED, INTERRUPTED, INVALID, NOT_COMPARABLE
from keptalive.cli.output import Screen, print_json
from keptalive.cli.pictures import Pictures, write
from keptalive.cli.report_files import check_writable
from keptalive.compare.findings import labels
from keptalive.errors import KeptaliveError, TargetError, UsageError
from keptalive.quantities import many
from keptalive.records.run import Run
from keptalive.redaction import redact
from keptalive.render import sentences
from keptalive.render.bench_verdict import next_step
from keptalive.render.terminal import bench as terminal
from keptalive.render.terminal import programs

_BUDGET_HELP = (
    "Seconds it may take. A warm-up, one counted round and one traced round are always made, "
    f"however long they take. Fewer than {MINIMUM_ROUNDS} rounds give no verdict."
)


PlanFile = Annotated[
    Path | None,
    typer.Argument(
        help="A TOML file (docs/plans.md); without one: a test server that imitates "
        "api.github.com, 20 ms away."
    ),
]
TargetOption = Annotated[
    str | None,
    typer.Option(
        help="lookalike, github, or the base URL of your own server.",
        autocompletion=completion.targets,
    ),
]
RoundsOption = Annotated[
    int | None, typer.Option(help="Exactly this many rounds, instead of as many as needed.")
]
BudgetOption = Annotated[float | None, typer.Option(help=_BUDGET_HELP, metavar="S")]
ThreadsOption = Annotated[
    int | None,
    typer.Option(help="How many threads send the requests at once, each of them the whole list."),
]
ProgramOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COMMAND",
        help="Your own program instead, run once a round: as it is, and with tuned Sessions. "
        "Repeatable, as NAME=COMMAND: then several are compared as they are.",
    ),
]
LinkOption = Annotated[
    str | None,
    typer.Option(
        help="How the test server is 20 ms away: auto, tun, veth or delay (docs/link.md).",
        autocompletion=completion.links,
    ),
]
FolderOption = Annotated[Path, typer.Option("--results", help="Where the result file goes.")]
StorageOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Store the result there too, as --benchmark-storage of pytest-benchmark does "
        "(docs/results.md).",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the result file instead of tables.")
]
HtmlOption = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write the result as a page too.")
]
ProgressOption = Annotated[
    bool, typer.Option("--progress", help="Report each round, also where there is no terminal.")
]


def bench(
    plan: PlanFile = None,
    program: ProgramOption = None,
    target: TargetOption = None,
    rounds: RoundsOption = None,
    budget: BudgetOption = None,
    link: LinkOption = None,
    threads: ThreadsOption = None,
    folder: FolderOption = results.RESULTS,
    storage: StorageOption = None,
    html: HtmlOption = None,
    progress: ProgressOption = False,
    as_json: JsonOption = False,
) -> None:
    """Send the same authenticated requests with requests.get, a Session and a tuned Session.

    Prints what each costs, how many connections it opened (counted in three ways) and why, and
    saves the result. A plan may name a method of your own, as package.module:Class, and what your
    API needs: headers, methods, bodies. The token comes from KEPTALIVE_TOKEN; for GitHub also from
    GITHUB_TOKEN, GH_TOKEN, `gh auth token`, or a prompt.

    Exit codes: 0 fine; 1 the counts disagree, or a limit of the plan's [gate] is broken; 2 wrong
    usage, or a limit that could not be judged; 3 the target or a program failed; 128 + N after
    signal N: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP. What was measured before the signal
    is saved.
    """
    named = {"target": target, "rounds": rounds, "budget_s": budget, "link": link}
    chosen = _chosen(plan, program, {**named, "threads": threads})
    if html is not None:
        check_writable(html, "--html")
    shared = _storage(storage)
    # the narration: beside the tables for a person, beside the JSON on the other stream
    narrator = Screen(stderr=as_json)
    # a signal ends the measuring, and nothing else until the result is saved
    with interruption.held():
        run = _measured(chosen, folder, narrator, progress=progress)
        contents = results.document(run)
        saved, problem = _saved(run, contents, folder)
    _print_result(run, contents if as_json else None, narrator)
    if not run.valid:
        raise typer.Exit(INVALID)
    if problem is None:
        _print_files(run, saved, html, narrator)
    _store(run, contents, shared, narrator)
    if problem is not None:
        raise problem
    gate = _print_gate(run, narrator)
    if run.complete:
        narrator.print(next_step(run, saved), style="dim", soft_wrap=True)
    _leave(run, gate)


def _chosen(plan: Path | None, program: list[str] | None, options: Mapping[str, object]) -> Plan:
    """The plan of this file, or the default one, with the options that were given."""
    given = {key: value for key, value in options.items() if value is not None}
    if program:
        given["program"] = of_options(program)
    return with_values(read_plan(plan) if plan else Plan(), given, source=None)


def _storage(url: str | None) -> results.Storage | None:
    if url is None:
        return None
    named = results.storage_url(url)
    if named.name:
        raise UsageError(f"--storage {named} must be without #: a result is named by its time.")
    return results.opened(named.url, to_write=True)


def _print_result(run: Run, document: Mapping[str, Any] | None, narrator: Screen) -> None:
    """Print the document as JSON, or without one the tables."""
    if document is not None:
        print_json(document)
    elif run.summary or run.stopped_by is None:
        narrator.print()
        screen = programs if run.plan.get("program") else terminal
        narrator.print(screen.report(run, width=narrator.width))


def _measured(plan: Plan, folder: Path, narrator: Screen, *, progress: bool) -> Run:
    if plan.program:
        return _programs_measured(plan, folder, narrator, progress=progress)
    refuse_overwritten_urllib3()
    strategies = strategies_named(
        plan.strategies, retry=plan.retry, pool=plan.pool, threads=plan.threads
    )
    results.check_writable(folder)
    with prepared(plan) as (target, followed):
        narrator.print(_headline(followed, target))
        for note in target.notes:
            narrator.print(redact(note), style="dim")
        with shown_progress(wanted=progress) as show:
            bench = benching.Bench(
                plan=followed, target=target, strategies=strategies, progress=show
            )
            return bench.run()


def _programs_measured(plan: Plan, folder: Path, narrator: Screen, *, progress: bool) -> Run:
    results.check_writable(folder)
    with serving(plan) as (ours, notes):
        narrator.print(terminal.headline(*programs.headline(plan)))
        for note in notes:
            narrator.print(redact(note), style="dim")
        with shown_progress(wanted=progress) as show:
            return ProgramBench(plan=plan, served=ours, progress=show).run()


def _headline(plan: Plan, target: Target) -> object:
    facts = [target.label]
    known = target.facts()
    if known["tls"]:
        facts.append(str(known["tls"]).replace("TLSv", "TLS "))
    if known["rtt_ms"] is not None:
        facts.append(f"{known['rtt_ms']:g} ms away")
    if known["ca_certificates"]:
        facts.append(many(known["ca_certificates"], "CA certificate"))
    kind = "authenticated " if target.authenticated else ""
    each = many(len(plan.targets), f"{kind}request")
    requests = f"{each} a run, with each method in random order"
    if plan.threads > 1:
        requests = f"{plan.threads} threads with {each} each a run, methods in random order"
    return terminal.headline(requests, facts)


def _print_files(run: Run, saved: Path | None, html: Path | None, narrator: Screen) -> None:
    where = "Nothing was measured yet." if saved is None else f"Saved {saved}"
    narrator.print(where, style="dim", soft_wrap=True)
    for page in write(Pictures(html=html), run) if run.summary else ():
        narrator.print(f"Wrote {page}", style="dim", soft_wrap=True)


def _saved(
    run: Run, contents: Mapping[str, Any], folder: Path
) -> tuple[Path | None, KeptaliveError | None]:
    """Save what is a result: the file, or why it could not be; neither, if there is nothing yet."""
    if not (run.valid and run.summary):
        return None, None
    try:
        return results.save(contents, folder), None
    except KeptaliveError as error:
        return None, error


def _store(
    run: Run, contents: Mapping[str, Any], storage: results.Storage | None, narrator: Screen
) -> None:
    if storage is not None and run.summary:
        where = results.save_in(storage, contents)
        narrator.print(f"Stored {where}", style="dim", soft_wrap=True)


def _print_gate(run: Run, narrator: Screen) -> Gate:
    gate = judge(run, gate_of(run.plan, source="The plan"))
    for sentence in sentences.faults_of(gate, labels(run)):
        narrator.print(sentence, style="bold red")
    if gate.holds:
        narrator.print(sentences.holds(gate), style="green")
    return gate


def _leave(run: Run, gate: Gate) -> None:
    """With the code of the worst that happened, if anything did."""
    if run.stopped_by is not None:
        raise TargetError(run.stopped_by)
    if (number := interruption.received()) is not None:
        raise typer.Exit(interruption.exit_code(number))
    if run.ended == "interrupted":
        raise typer.Exit(INTERRUPTED)
    if gate.breaches:
        raise typer.Exit(GATE_FAILED)
    if gate.unjudged:
        raise typer.Exit(NOT_COMPARABLE)
