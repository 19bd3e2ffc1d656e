"""The commands as typer knows them: for help, for wrong usage, and for all but the quickest ones.

A command's module is imported when the command is called or its help is wanted; the list of all
commands needs none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer._completion_classes import completion_init
from typer.core import TyperCommand, TyperGroup

from keptalive.cli import cleaning, completion

completion_init()  # `add_completion` would do so, and add options of its own


def _with_plain_flags(params: list[Any]) -> list[Any]:
    """The same, without the type of options that take no value: ``--json <bool>`` misleads."""
    for param in params:
        if getattr(param, "is_flag", False) and param.metavar is None:
            param.metavar = ""
    return params


class _Command(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return _with_plain_flags(super().get_params(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        with cleaning.own_colours():
            super().format_help(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        if not ctx.allow_interspersed_args and ctx.params.get("program"):
            return []  # the words that follow are the program's: the shell completes files
        return super().shell_complete(ctx, incomplete)


class _Later(_Command):
    """Stands for a command in the list of all, and makes way for it when it is called."""

    def __init__(self, name: str, summary: str, load: Callable[[], Any]) -> None:
        super().__init__(name, help=summary)
        self._load = load

    def make_context(self, info_name: str | None, args: list[str], *more: Any, **named: Any) -> Any:
        return self._load().make_context(info_name, args, *more, **named)


def _loaded(function: Callable[..., None], **settings: Any) -> Any:
    """This function as a command."""
    alone = typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown"
    )
    alone.command(cls=_Command, **settings)(function)
    return typer.main.get_command(alone)


def _bench() -> Any:
    from keptalive.cli import bench

    return _loaded(bench.bench)


def _compare() -> Any:
    from keptalive.cli import compare

    return _loaded(compare.compare)


def _run() -> Any:
    from keptalive.cli import run

    return _loaded(run.run, context_settings=run.PASSES_ON, epilog=run.EXAMPLES)


def _explain() -> Any:
    from keptalive.cli import explain

    return _loaded(explain.explain)


def _probe() -> Any:
    from keptalive.cli import probe

    return _loaded(probe.probe)


def _report() -> Any:
    from keptalive.cli import report

    return _loaded(report.report)


def _serve() -> Any:
    from keptalive.cli import serve

    return _loaded(serve.serve, epilog=serve.SCENARIO_LIST)


# Each command: the first sentence of its help, and how to get it
COMMANDS: dict[str, tuple[str, Callable[[], Any]]] = {
    "bench": (
        "Send the same authenticated requests with requests.get, a Session and a tuned Session.",
        _bench,
    ),
    "compare": (
        (
            "Check that connections are reused as before, and that requests are as fast: "
            "a gate for CI."
        ),
        _compare,
    ),
    "run": (
        "Run a program, then explain why each connection was opened, its cost and the fix.",
        _run,
    ),
    "explain": (
        "Explain from a debug log why connections were opened, as far as a log shows it.",
        _explain,
    ),
    "probe": (
        "Find out what a server does with connections, and which settings suit it.",
        _probe,
    ),
    "report": (
        (
            "Make one HTML page to look at: the verdict, a timeline of all connections, and the "
            "causes."
        ),
        _report,
    ),
    "serve": (
        "Run a test server that imitates api.github.com on loopback, until Ctrl-C.",
        _serve,
    ),
}


class _Group(TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:
        return _with_plain_flags(super().get_params(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        with cleaning.own_colours():
            super().format_help(ctx, formatter)

    def list_commands(self, _ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        return _Later(cmd_name, *COMMANDS[cmd_name])


app = typer.Typer(
    cls=_Group,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Are your HTTP connections kept alive? Measure what reuse is worth.",
)


def _version(*, wanted: bool) -> None:
    if wanted:
        from keptalive.version import VERSION

        cleaning.print_line(f"keptalive {VERSION}")
        raise typer.Exit


def _completion(shell: completion.Shell | None) -> None:
    if shell is not None:
        cleaning.print_line(completion.script(shell))
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Show the version and exit.",
            is_eager=True,
            callback=lambda wanted: _version(wanted=wanted),
        ),
    ] = False,
    _shell: Annotated[
        completion.Shell | None,
        typer.Option(
            "--completion",
            metavar="SHELL",
            help="Print what makes Tab complete in bash, zsh or fish.",
            is_eager=True,
            callback=_completion,
        ),
    ] = None,
) -> None:
    pass
