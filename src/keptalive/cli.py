"""The door of the command line: reads options, shows progress, prints, leaves with a code.

Nothing is decided here. An error is one or two lines on standard error, and never a traceback.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from keptalive import benching, results
from keptalive.analysis.from_log import LogLedger
from keptalive.analysis.reporting import merged
from keptalive.clients.environment import refuse_overwritten_urllib3
from keptalive.errors import KeptaliveError, TargetError, UsageError
from keptalive.lookalike.api import TOKEN
from keptalive.lookalike.behaviour import SCENARIOS, parse_scenario
from keptalive.lookalike.server import run_forever
from keptalive.model import Run
from keptalive.plans import Plan, read_plan, with_values
from keptalive.redaction import redact
from keptalive.render import report as report_screen
from keptalive.render import terminal
from keptalive.targets import Target, prepared
from keptalive.watching import debug_log
from keptalive.watching import program as running

INVALID = 1
INTERRUPTED = 130  # as a shell reports a program that SIGINT ended
OUR_FAULT = 70  # EX_SOFTWARE of sysexits.h

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Are your HTTP connections kept alive? Measure what reuse is worth.",
)


@app.callback()
def keptalive() -> None:
    """Keep the commands apart even while there are few."""


# -- bench ---------------------------------------------------------------------------------------


@app.command()
def bench(
    plan: Annotated[
        Path | None, typer.Argument(help="A TOML file; without one: the look-alike, 20 ms away.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="lookalike, github, or the base URL of your own server.")
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(help="Exactly so many rounds, instead of as many as needed.")
    ] = None,
    budget: Annotated[
        float | None, typer.Option(help="Seconds it may take, installation aside.", metavar="S")
    ] = None,
    folder: Annotated[Path, typer.Option("--results", help="Where the result file goes.")] = Path(
        "results"
    ),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result file instead of tables.")
    ] = False,
) -> None:
    """Make the same authenticated requests with requests.get, a Session and a tuned Session.

    Prints what each costs and how many connections it opened, counted three times over, and saves
    the result. The token comes from GITHUB_TOKEN, GH_TOKEN, `gh auth token`, or a prompt.

    Exit codes: 0 fine; 1 the counts disagree; 2 wrong usage; 3 the target failed.
    """
    refuse_overwritten_urllib3()
    options = {"target": target, "rounds": rounds, "budget_s": budget}
    given = {key: value for key, value in options.items() if value is not None}
    chosen = with_values(read_plan(plan) if plan else Plan(), given, source="The command")
    results.check_writable(folder)
    # the narration: beside the tables for a person, beside the JSON on the other stream
    narrator = Console(stderr=as_json, highlight=False, markup=False)
    with prepared(chosen) as (ready, followed):
        narrator.print(_headline(followed, ready))
        for note in ready.notes:
            narrator.print(redact(note), style="dim")
        run = _with_progress(followed, ready)
    _present(run, folder, narrator, as_json=as_json)


def _headline(plan: Plan, target: Target) -> object:
    facts = [target.label]
    known = target.facts()
    if known["tls"]:
        facts.append(str(known["tls"]).replace("TLSv", "TLS "))
    if known["rtt_ms"] is not None:
        facts.append(f"{known['rtt_ms']:g} ms away")
    if known["ca_certificates"]:
        facts.append(f"{known['ca_certificates']} CA certificates")
    kind = "" if plan.auth == "none" else "authenticated "
    rounds = f"{len(plan.targets)} {kind}requests a trial, each way, interleaved in rounds"
    return terminal.headline(rounds, facts)


def _with_progress(plan: Plan, target: Target) -> Run:
    console = Console(stderr=True)
    # It moves between trials only: a thread that redraws would run on the trials' time
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}"))
    with Progress(
        *columns, console=console, auto_refresh=False, transient=True, disable=not _seen(console)
    ) as bar:
        task = bar.add_task("warm-up", total=None, left="")

        def show(progress: benching.Progress) -> None:
            left = progress.seconds_left
            bar.update(
                task,
                description=f"round {progress.round}" if progress.round else "warm-up",
                completed=progress.elapsed_s,
                total=None if left is None else progress.elapsed_s + left,
                left="" if left is None else f"at most {left:.0f} s left",
                refresh=True,
            )

        return benching.Bench(plan=plan, target=target, progress=show).run()


def _seen(console: Console) -> bool:
    return console.is_terminal and not console.is_dumb_terminal


def _present(run: Run, folder: Path, narrator: Console, *, as_json: bool) -> None:
    """Print the run, save what is a result, and leave with the code that it calls for."""
    contents = results.document(run)
    saved = "Nothing was measured yet, so nothing is saved."
    problem: KeptaliveError | None = None
    if run.valid and run.summary:  # before any printing: a reader may leave early
        try:
            saved = f"Saved {results.save(contents, folder)}"
        except KeptaliveError as error:
            problem = error
    if as_json:
        sys.stdout.write(json.dumps(contents, indent=1) + "\n")
    else:
        narrator.print()
        narrator.print(terminal.report(run, width=narrator.width))
    if not run.valid:
        raise typer.Exit(INVALID)
    if problem is not None:
        raise problem
    narrator.print(saved, style="dim", soft_wrap=True)
    if run.stopped_by is not None:
        raise TargetError(run.stopped_by)
    if run.ended == "interrupted":
        raise typer.Exit(INTERRUPTED)


# -- run -----------------------------------------------------------------------------------------


@app.command(
    context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True},
    epilog="keptalive run sync.py --all   keptalive run -m pytest -x   keptalive run gunicorn app",
)
def run(
    program: Annotated[
        list[str],
        typer.Argument(help="A script, or any command that starts Python; its arguments."),
    ],
    module: Annotated[
        bool, typer.Option("-m", help="The program is the name of a module, as in python -m.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the report to this file too.")
    ] = None,
) -> None:
    """Run a program, then tell why each of its connections was opened, at what cost, and the cure.

    It runs as without us: same arguments, streams and exit code. Child processes that are Python
    are watched too. The report goes to standard error, when the program has ended.
    """
    if json_file is not None:
        with _writing(json_file), json_file.open("a"):
            pass  # found out before the program runs
    ran = running.run(program, module=module, watcher="keptalive.watching.within.begin")
    seen = [one["report"] for one in ran.reports if one["report"] is not None]
    report = merged(seen, source="run")
    report["warnings"] += ran.warnings
    narrator = Console(stderr=True, highlight=False, markup=False)
    narrator.print()
    narrator.print(report_screen.screen(report))
    if json_file is not None:
        with _writing(json_file):
            json_file.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    raise typer.Exit(ran.exit_code)


@contextmanager
def _writing(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"{file} cannot be written: {error.strerror}. Next: --json FILE."
        ) from None


# -- explain -------------------------------------------------------------------------------------


@app.command()
def explain(
    log: Annotated[str, typer.Argument(help="A debug log, gzip too; - reads standard input.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON instead.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Read on while it grows; Ctrl-C ends it and tells.")
    ] = False,
) -> None:
    """Tell from a debug log why connections were opened, as far as a log can tell.

    Any logging format will do, of several processes and threads. For certainty, and for what each
    connection cost, run the program under keptalive run.
    """
    report = _explained(log, follow=follow)
    if as_json:
        sys.stdout.write(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    else:
        Console(highlight=False, markup=False).print(report_screen.screen(report))


def _explained(log: str, *, follow: bool) -> dict[str, object]:
    reading = debug_log.read(log, until=(lambda: False) if follow else None)
    ledger = LogLedger()
    with suppress(KeyboardInterrupt) if follow else nullcontext():
        for seen in reading:
            if isinstance(seen.event, debug_log.Discarding):
                ledger.discarding(seen.event.host)
            else:
                ledger.record(seen.event, seen.at_s)
    if not reading.urllib3_lines:
        raise UsageError(
            f"{log} has no line of urllib3's pool log among its {reading.lines}.\n"
            'Next: logging.getLogger("urllib3").setLevel(logging.DEBUG) in the program, or run it '
            "under keptalive run."
        )
    return ledger.report(warnings=_doubts(reading))


def _doubts(reading: debug_log.Reading) -> list[str]:
    doubts = []
    if reading.skipped:
        doubts.append(f"{reading.skipped} lines of urllib3's could not be read.")
    if reading.ended_early:
        doubts.append("The compressed log is damaged, or has no end: the rest is missing.")
    if not reading.tells_threads:
        doubts.append("The log does not tell threads apart: what they did at once may be mixed up.")
    return doubts


# -- serve ---------------------------------------------------------------------------------------

_SCENARIO_HELP = "How it treats connections, such as keep-alive or idle-timeout=5."


@app.command(
    epilog="Scenarios: "
    + "; ".join(
        f"**{name}{f'={kind.default:g}' if kind.default else ''}** {kind.meaning.rstrip('.')}"
        for name, kind in SCENARIOS.items()
    )
    + "."
)
def serve(
    scenario: Annotated[str, typer.Option(help=_SCENARIO_HELP)] = "keep-alive",
    port: Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=65535)] = 0,
    rtt: Annotated[
        float, typer.Option(help="Simulated round-trip time.", metavar="MS", min=0)
    ] = 0.0,
    bundle: Annotated[
        Path, typer.Option(help="Where to write the CA bundle that clients verify it with.")
    ] = Path("lookalike-ca.pem"),
) -> None:
    """Run the look-alike of api.github.com on loopback until Ctrl-C, for experiments of your own.

    Prints its URL, the CA bundle to verify it with, and the token that it accepts.
    """
    console = Console(highlight=False, markup=False)

    def announce(url: str, certificates: int) -> None:
        console.print(f"{url}   scenario {parse_scenario(scenario)}", style="bold", soft_wrap=True)
        console.print(f"CA bundle: {bundle} ({certificates} certificates)", soft_wrap=True)
        console.print(
            f"Try: curl --cacert {bundle} -u keptalive:{TOKEN} {url}/user", soft_wrap=True
        )
        console.print("Ctrl-C ends it.", style="dim")

    try:
        served = run_forever(scenario, port=port, rtt_ms=rtt, bundle_path=bundle, on_ready=announce)
    except OSError as error:
        raise KeptaliveError(f"{bundle}: {error.strerror}. Next: --bundle FILE.") from None
    console.print(f"Served {served.requests} requests on {served.accepted} connections.")


# -- The door itself -----------------------------------------------------------------------------


def main() -> None:
    """Run the command line; every error becomes a line or two and an exit code."""
    sys.exit(run_guarded(lambda: app(standalone_mode=False, prog_name="keptalive")))


def run_guarded(command: Callable[[], object]) -> int:
    """The exit code of this command, its error told on standard error."""
    errors = Console(stderr=True, highlight=False, markup=False)
    try:
        code = command()
    except KeptaliveError as error:
        errors.print(f"keptalive: {redact(str(error))}", style="red", soft_wrap=True)
        return error.exit_code
    except KeyboardInterrupt:
        errors.print("keptalive: interrupted.", style="red")
        return INTERRUPTED
    except BrokenPipeError:
        with suppress(OSError):  # whoever read our output has left: nothing more to say
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the last door: a traceback helps no user
        return _usage_or_our_fault(error, errors)
    return code if isinstance(code, int) else 0


def _usage_or_our_fault(error: Exception, errors: Console) -> int:
    if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # click's usage errors
        if message := redact(error.format_message()):  # none where only the help was wanted
            errors.print(f"keptalive: {message}", style="red", soft_wrap=True)
        return int(error.exit_code)
    if os.environ.get("KEPTALIVE_DEBUG"):
        errors.print(redact(traceback.format_exc()))
    told = f"{type(error).__name__}: {redact(str(error))}"
    errors.print(
        f"keptalive: a fault of keptalive itself: {told}\n"
        "Next: KEPTALIVE_DEBUG=1 shows where; please report it.",
        style="red",
        soft_wrap=True,
    )
    return OUR_FAULT
