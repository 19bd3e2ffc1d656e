"""`keptalive serve`: the test server that imitates api.github.com, for experiments."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from keptalive.cli import completion
from keptalive.cli.output import Screen
from keptalive.errors import UsageError
from keptalive.lookalike.api import TOKEN
from keptalive.lookalike.behaviour import SCENARIOS, parse_scenario
from keptalive.lookalike.server import run_forever
from keptalive.quantities import many

_SCENARIO_HELP = "Connection behaviour to simulate, such as keep-alive or idle-timeout=5."

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
        _serve(scenario, port=port, rtt_ms=rtt, bundle=path)


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


def _serve(scenario: str, *, port: int, rtt_ms: float, bundle: Path) -> None:
    console = Screen()

    def announce(url: str, certificates: int) -> None:
        console.print(f"{url}   scenario {parse_scenario(scenario)}", style="bold", soft_wrap=True)
        console.print(f"CA bundle: {bundle} ({certificates} certificates)", soft_wrap=True)
        console.print(
            f"Try: curl --cacert {bundle} -u keptalive:{TOKEN} {url}/user", soft_wrap=True
        )
        console.print(
            f'or:  requests.get("{url}/user", verify="{bundle}", '
            f'headers={{"Authorization": "Bearer {TOKEN}"}})',
            soft_wrap=True,
        )
        console.print("Ctrl-C stops it.", style="dim")

    served = run_forever(scenario, port=port, rtt_ms=rtt_ms, bundle_path=bundle, on_ready=announce)
    console.print(
        f"Served {many(served.requests, 'request')} on {many(served.accepted, 'connection')}."
    )
