"""`keptalive serve`: the test server that imitates api.github.com, for experiments."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from keptalive.cli import completion
from keptalive.cli.output import Screen
from keptalive.errors import UsageError
from keptalive.link.choice import Used, opened_link
from keptalive.lookalike.address import Address
from keptalive.lookalike.api import TOKEN
from keptalive.lookalike.behaviour import SCENARIOS, nat_timeout_s, parse_scenario
from keptalive.lookalike.server import run_forever
from keptalive.quantities import many

_SCENARIO_HELP = "Connection behaviour to simulate, such as keep-alive or idle-timeout=5."


class Link(str, Enum):
    """How far-away clients reach it."""

    AUTO = "auto"
    TUN = "tun"
    VETH = "veth"
    DELAY = "delay"


SCENARIO_LIST = "\n\n".join(
    [
        "Scenarios:",
        *(
            f"- **{name}{f'={kind.default:g}' if kind.default else ''}**: {kind.meaning}"
            for name, kind in SCENARIOS.items()
        ),
    ]
)


def serve(
    scenario: Annotated[
        str, typer.Option(help=_SCENARIO_HELP, autocompletion=completion.scenarios)
    ] = "keep-alive",
    port: Annotated[int, typer.Option(help="0: any free port.", min=0, max=65535)] = 0,
    rtt: Annotated[
        float, typer.Option(help="Round-trip time to simulate.", metavar="MS", min=0)
    ] = 0.0,
    link: Annotated[
        Link,
        typer.Option(
            help="auto, tun or veth: a true link, for clients in its network namespace alone "
            "(docs/link.md). delay: for clients on this machine.",
        ),
    ] = Link.DELAY,
    bundle: Annotated[
        Path | None,
        typer.Option(
            help="Where to write the CA bundle that clients need: a new file, removed at the end.",
            show_default="in a temporary folder",
        ),
    ] = None,
) -> None:
    """Run a test server that imitates api.github.com on loopback, until Ctrl-C.

    Prints its URL, the CA bundle that clients need, the token that it accepts, and how to send
    requests to it.
    """
    with _place_of(bundle) as path:
        _serve(scenario, port=port, rtt_ms=rtt, kind=link.value, bundle=path)


@contextmanager
def _place_of(bundle: Path | None) -> Iterator[Path]:
    """Where the bundle goes: where it was asked for, else into a folder that is removed."""
    if bundle is not None:
        yield bundle
        return
    with ExitStack() as ours:
        try:
            folder = ours.enter_context(tempfile.TemporaryDirectory(prefix="keptalive-"))
        except OSError:
            raise UsageError(
                "There is no folder for temporary files. Next: --bundle FILE."
            ) from None
        yield Path(folder) / "ca.pem"


def _serve(scenario: str, *, port: int, rtt_ms: float, kind: str, bundle: Path) -> None:
    console = Screen()
    chosen = parse_scenario(scenario)
    timeout_s = nat_timeout_s(chosen)
    needed_by = f"scenario {chosen}" if timeout_s is not None else None
    with opened_link(kind, rtt_ms=rtt_ms, needed_by=needed_by) as link:

        def announce(url: str, certificates: int) -> None:
            if link.true is not None and timeout_s is not None:
                link.true.forget_after(int(url.rpartition(":")[2]), timeout_s)
            title = f"{url}   scenario {chosen}"
            console.print(title, style="bold", soft_wrap=True)
            for line in _about(link, url, bundle, certificates):
                console.print(line, soft_wrap=True)
            console.print("Ctrl-C stops it.", style="dim")

        served = run_forever(
            chosen,
            port=port,
            rtt_ms=link.delay_ms,
            bundle_path=bundle,
            on_ready=announce,
            address=Address(link.listen, link.named),
        )
    console.print(
        f"Served {many(served.requests, 'request')} on {many(served.accepted, 'connection')}."
    )


def _about(link: Used, url: str, bundle: Path, certificates: int) -> Iterator[str]:
    if link.said:
        yield link.said
    inside = ""
    if link.true is not None:
        user = "-U --preserve-credentials " if link.true.user else ""
        inside = f"nsenter -t {os.getpid()} {user}-n "
        yield f"Only programs in its namespace reach it: {inside}COMMAND"
    yield f"CA bundle: {bundle} ({certificates} certificates)"
    yield f"Try: {inside}curl --cacert {bundle} -u keptalive:{TOKEN} {url}/user"
    yield (
        f'or:  requests.get("{url}/user", verify="{bundle}", '
        f'headers={{"Authorization": "Bearer {TOKEN}"}})'
    )
