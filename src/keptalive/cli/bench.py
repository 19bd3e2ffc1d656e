"""`keptalive bench`: the options, the progress bar, the tables, the file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn

from keptalive import interruption, results
from keptalive.bench import runner as benching
from keptalive.bench.gate import Gate, judge
from keptalive.bench.influences import refuse_overwritten_urllib3
from keptalive.bench.own_strategies import strategies_named
from keptalive.bench.plan import Plan, gate_of, read_plan, with_values
from keptalive.bench.strategy import Strategy
from keptalive.bench.summary import MINIMUM_ROUNDS
from keptalive.bench.targets import Target, prepared
from keptalive.cli.exit_codes import GATE_FAILED, INTERRUPTED, INVALID, NOT_COMPARABLE
from keptalive.cli.output import Screen, print_json
from keptalive.errors import KeptaliveError, TargetError
from keptalive.records.run import Run
from keptalive.redaction import redact
from keptalive.render import sentences
from keptalive.render.terminal import bench as terminal

_BUDGET_HELP = (
    "Seconds it may take. A warm-up, one counted round and one traced round are always made, "
    f"however long they take. Fewer than {MINIMUM_ROUNDS} rounds give no verdict."
)


PlanFile = Annotated[
    Path | None,
    typer.Argument(
        help="A TOML file; without one: a test server that imitates api.github.com, 20 ms away."
    ),
]
TargetOption = Annotated[
    str | None, typer.Option(help="lookalike, github, or the base URL of your own server.")
]
RoundsOption = Annotated[
    int | None, typer.Option(help="Exactly this many rounds, instead of as many as needed.")
]
BudgetOption = Annotated[float | None, typer.Option(help=_BUDGET_HELP, metavar="S")]
FolderOption = Annotated[Path, typer.Option("--results", help="Where the result file goes.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the result file instead of tables.")
]


def bench(
    plan: PlanFile = None,
    target: TargetOption = None,
    rounds: RoundsOption = None,
    budget: BudgetOption = None,
    folder: FolderOption = results.RESULTS,
    as_json: JsonOption = False,
) -> None:
    """Send the same authenticated requests with requests.get, a Session and a tuned Session.

    Prints what each costs, how many connections it opened (counted in three ways) and why, and
    saves the result. A plan may name a method of your own, as package.module:Class. The token comes
    from GITHUB_TOKEN, GH_TOKEN, `gh auth token`, or a prompt.

    Exit codes: 0 fine; 1 the counts disagree, or a limit of the plan's [gate] is broken; 2 wrong
    usage, or a limit that could not be judged; 3 the target failed; 128 + N after signal N: 130
    for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP. What was measured before the signal is saved.
    """
    refuse_overwritten_urllib3()
    options = {"target": target, "rounds": rounds, "budget_s": budget}
    given = {key: value for key, value in options.items() if value is not None}
    chosen = with_values(read_plan(plan) if plan else Plan(), given, source=None)
    # the narration: beside the tables for a person, beside the JSON on the other stream
    narrator = Screen(stderr=as_json)
    # a signal ends the measuring, and nothing else until the result is saved
    with interruption.held():
        run = _measured(chosen, folder, narrator)
        contents = results.document(run)
        saved, problem = _saved(run, contents, folder)
    if as_json:
        print_json(contents)
    else:
        narrator.print()
        narrator.print(terminal.report(run, width=narrator.width))
    if not run.valid:
        raise typer.Exit(INVALID)
    if problem is not None:
        raise problem
    narrator.print(saved, style="dim", soft_wrap=True)
    narrator.print("Your own program: keptalive run SCRIPT", style="dim")
    _leave(run, _print_gate(run, narrator))


def _measured(plan: Plan, folder: Path, narrator: Screen) -> Run:
    strategies = strategies_named(plan.strategies, retry=plan.retry, pool=plan.pool)
    results.check_writable(folder)
    with prepared(plan) as (target, followed):
        narrator.print(_headline(followed, target))
        for note in target.notes:
            narrator.print(redact(note), style="dim")
        return _with_progress(followed, target, strategies)


def _headline(plan: Plan, target: Target) -> object:
    facts = [target.label]
    known = target.facts()
    if known["tls"]:
        facts.append(str(known["tls"]).replace("TLSv", "TLS "))
    if known["rtt_ms"] is not None:
        facts.append(f"{known['rtt_ms']:g} ms away")
    if known["ca_certificates"]:
        facts.append(f"{known['ca_certificates']} CA certificates")
    kind = "authenticated " if target.authenticated else ""
    requests = f"{len(plan.targets)} {kind}requests a run, with each method in random order"
    return terminal.headline(requests, facts)


def _with_progress(plan: Plan, target: Target, strategies: Mapping[str, type[Strategy]]) -> Run:
    console = Screen(stderr=True)
    # It moves between trials only: a thread that redraws would run on the trials' time
    left = TextColumn("{task.fields[left]}", markup=False)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), left)
    with Progress(
        *columns,
        console=console,
        auto_refresh=False,
        transient=True,
        # rich would read the colours of what others print meanwhile, and show them
        redirect_stdout=False,
        redirect_stderr=False,
        disable=not _seen(console),
    ) as bar:
        task = bar.add_task("warm-up", total=None, left="")

        def show(progress: benching.Progress) -> None:
            left = progress.seconds_left
            bar.update(
                task,
                description=_round_in_words(progress),
                completed=progress.elapsed_s,
                total=None if left is None else progress.elapsed_s + left,
                left="" if left is None else f"at most {left:.0f} s left",
                refresh=True,
            )

        bench = benching.Bench(plan=plan, target=target, strategies=strategies, progress=show)
        return bench.run()


def _round_in_words(progress: benching.Progress) -> str:
    if progress.traced:
        return "traced round"
    return f"round {progress.round}" if progress.round else "warm-up"


def _seen(console: Screen) -> bool:
    return console.is_terminal and not console.is_dumb_terminal


def _saved(
    run: Run, contents: Mapping[str, Any], folder: Path
) -> tuple[str, KeptaliveError | None]:
    """Save what is a result: say where, or why it could not be."""
    if not (run.valid and run.summary):
        return "Nothing was measured yet, so nothing is saved.", None
    try:
        return f"Saved {results.save(contents, folder)}", None
    except KeptaliveError as error:
        return "", error


def _print_gate(run: Run, narrator: Screen) -> Gate:
    gate = judge(run, gate_of(run.plan, source="The plan"))
    for sentence in sentences.faults_of(gate, run.labels):
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
