"""What Tab completes: the script for a shell, and a function for each kind of value of an option.

Such a function takes what has been typed so far and returns the values that begin with it, with a
word on each where there is one. typer calls it (`autocompletion=`) in a new process for each press
of Tab: what it needs is imported when it is called.
"""

from __future__ import annotations

from enum import Enum

from typer import _completion_shared as shared


class Shell(str, Enum):
    """The shells for which Tab was tried."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


# zsh calls a file of its fpath at the first Tab, and expects completions from it; typer's only
# defines the function that gives them, so that the first Tab of each shell would do nothing
_ALSO_AT_ONCE = '[[ $funcstack[1] = _keptalive ]] && _keptalive_completion "$@"'


def script(shell: Shell) -> str:
    """The text that this shell reads at its start."""
    text = shared.get_completion_script(
        prog_name="keptalive", complete_var="_KEPTALIVE_COMPLETE", shell=shell.value
    )
    return f"{text}\n\n{_ALSO_AT_ONCE}" if shell is Shell.ZSH else text


Values = list[tuple[str, str]]


def targets(typed: str) -> Values:
    """The targets of `bench` that have a name."""
    known = {"lookalike": "a test server that imitates api.github.com", "github": "api.github.com"}
    return _beginning_with(typed, list(known.items()))


def scenarios(typed: str) -> Values:
    """The scenarios of the look-alike."""
    from keptalive.lookalike.behaviour import SCENARIOS

    return _beginning_with(typed, [(name, kind.meaning) for name, kind in SCENARIOS.items()])


def links(typed: str) -> Values:
    """The kinds of link to the look-alike."""
    from keptalive.link.choice import MEANINGS

    return _beginning_with(typed, list(MEANINGS.items()))


def guarded_measures(typed: str) -> Values:
    """What may fail a comparison; after a comma, one more of them."""
    before, comma, last = typed.rpartition(",")
    known = ("counts", "opened", "reopened", "attempts", "time", "nothing")
    return [(f"{before}{comma}{name}", "") for name in known if name.startswith(last)]


def causes(typed: str) -> Values:
    """The causes that `run --forbid` takes; after a comma, one more of them."""
    from keptalive.causes.meaning import meaning_of
    from keptalive.compare.forbidden import MAY_BE_FORBIDDEN

    before, comma, last = typed.rpartition(",")
    known = [(f"{before}{comma}{name}", meaning_of(name)) for name in MAY_BE_FORBIDDEN]
    return _beginning_with(f"{before}{comma}{last}", known)


def exports(typed: str) -> Values:
    """The formats that `compare --export` writes."""
    from keptalive.render.exports import EXPORTS

    return _beginning_with(typed, [(f"{name}=", "") for name in EXPORTS])


def _beginning_with(typed: str, values: Values) -> Values:
    return [(name, means) for name, means in values if name.startswith(typed)]
