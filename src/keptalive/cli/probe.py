"""`keptalive probe`: what a server does with connections, by few and polite requests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from keptalive import interruption
from keptalive.cli.exit_codes import INTERRUPTED
from keptalive.cli.live_line import live_line
from keptalive.cli.output import Screen, print_json
from keptalive.errors import UsageError
from keptalive.probe.gain import hosts_of, with_gain
from keptalive.probe.judge import judged
from keptalive.probe.prober import Prober
from keptalive.probe.route import Route, route_to
from keptalive.probe.settings import (
    BUDGET_S,
    MOST_REQUESTS,
    OTHER_REQUESTS,
    RUNGS_S,
    Settings,
)
from keptalive.probe.watcher import Progress, Watcher
from keptalive.quantities import host_name, listed, many
from keptalive.records.plain import as_plain, with_texts
from keptalive.records.report import HostReport, Report
from keptalive.redaction import shown
from keptalive.render.terminal import probe as probe_screen
from keptalive.results import either

_LADDER_S = 1.02 * max(RUNGS_S) + 60.0  # what the whole search for silent drops takes
_MOST = 10_000


Url = Annotated[str, typer.Argument(metavar="URL", help="The URL to send GET requests to.")]
Budget = Annotated[
    float | None,
    typer.Option(help="How long it may take.", metavar="SECONDS", show_default=f"{BUDGET_S:g}"),
]
MostRequests = Annotated[
    int,
    typer.Option(
        help="The most requests on one connection; where it ends earlier, at most as many on a "
        f"second one. On others: {OTHER_REQUESTS} more.",
        metavar="N",
    ),
]
For = Annotated[
    Path | None,
    typer.Option(
        "--for",
        help="A report of keptalive run --json: what would that program gain?",
        metavar="FILE",
    ),
]
SilentDrops = Annotated[
    bool,
    typer.Option(
        "--silent-drops",
        help="Also find out after which idle time the path forgets a connection "
        f"({_LADDER_S / 60:.0f} minutes).",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print what was found as JSON instead.")]


def probe(
    url: Url,
    budget: Budget = None,
    max_requests: MostRequests = MOST_REQUESTS,
    report: For = None,
    silent_drops: SilentDrops = False,
    as_json: Json = False,
) -> None:
    """Find out what a server does with connections, and which settings suit it.

    It sends few GET requests, one at a time, on at most 6 connections: does the server keep them,
    when does it close idle ones, after how many requests, and what does a new one cost here?
    Certificates and proxies are those of requests. It ends when idle connections were closed, or
    with --budget. Ctrl-C stops it and prints what was found.
    """
    settings = _settings(budget, max_requests, silent_drops=silent_drops)
    route = route_to(url)
    wanted = None if report is None else _program(report, route)
    # a signal ends the probing, and nothing else until what was found is shown
    with interruption.held():
        with live_line(_so_far) as show:
            prober = Prober(route, settings, Watcher(show))
            events = prober.run()
        found = judged(events, url=prober.route.url, via=prober.route.via)
        if wanted is not None:
            found = with_gain(found, *wanted)
        if as_json:
            print_json(as_plain(found))
        else:
            Screen().print(probe_screen.screen(with_texts(found, shown)))
    if found.ended == "interrupted":
        number = interruption.received()
        raise typer.Exit(INTERRUPTED if number is None else interruption.exit_code(number))


def _settings(budget: float | None, max_requests: int, *, silent_drops: bool) -> Settings:
    if budget is not None and not 1 <= budget <= 86_400:
        raise UsageError(f"--budget must be 1 to 86400 seconds, not {budget:g}.")
    if not 2 <= max_requests <= _MOST:
        raise UsageError(f"--max-requests must be 2 to {_MOST}, not {max_requests}.")
    usual = _LADDER_S if silent_drops else BUDGET_S
    return Settings(
        budget_s=usual if budget is None else budget,
        most_requests=max_requests,
        silent_drops=silent_drops,
    )


def _program(path: Path, route: Route) -> tuple[Report, list[HostReport]]:
    """The report, and its routes to this server: read before anything is sent."""
    report = either.read(path)
    if not isinstance(report, Report):
        raise UsageError(
            f"{path} is a result of keptalive bench, not a report. "
            "Next: name a report that keptalive run --json FILE made."
        )
    hosts = hosts_of(report, origin=route.origin, via=route.via)
    if not hosts:
        names = [shown(host_name(host.host)) for host in report.hosts]
        has = f"it has {listed(names)}" if names else "it has none at all"
        raise UsageError(
            f"{path} has no connections to {host_name(route.origin)}: {has}. "
            "Next: probe a URL of one of these, or name another report."
        )
    return report, hosts


def _so_far(progress: Progress) -> Text:
    idle = f"{many(progress.watched, 'connection')} idle for {progress.longest_idle_s:.0f} s"
    said = (
        f"{progress.seconds:.0f} s: {many(progress.requests, 'request')}"
        f"{f', {idle}' if progress.watched else ''}. Ctrl-C shows what was found."
    )
    return Text(said, style="dim", no_wrap=True, overflow="ellipsis")
