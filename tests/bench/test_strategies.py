"""Strategies of one's own are found by name, from the current folder, or refused in a line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from requests.auth import HTTPBasicAuth

from keptalive.bench.access import Access, BearerAuth, auth_for
from keptalive.bench.own_strategies import strategies_named
from keptalive.bench.plan import Plan, with_values
from keptalive.bench.strategies import STRATEGIES
from keptalive.bench.strategy import Answer, Request
from keptalive.errors import UsageError

GOOD = """
from keptalive.bench.strategy import Answer, Strategy

class Canned(Strategy):
    label = "canned"

    def send(self, request):
        return Answer(status=200, body=request.url.encode())

class Unnamed(Strategy):
    def send(self, request):
        return Answer(status=200, body=b"")

class Silent(Strategy):
    label = "silent"

NUMBER = 3
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with the modules of a program in it; nothing of them stays imported."""
    (tmp_path / "own_package").mkdir()
    (tmp_path / "own_package" / "good.py").write_text(GOOD)
    (tmp_path / "own_package" / "broken.py").write_text("1 / 0\n")
    (tmp_path / "own_package" / "quits.py").write_text("import sys; sys.exit(0)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "own_package"]:
        del sys.modules[name]


def test_a_strategy_is_found_in_the_current_folder(here: Path) -> None:
    found = strategies_named(["session", "own_package.good:Canned"])
    assert list(found) == ["session", "own_package.good:Canned"]
    assert found["session"] is STRATEGIES["session"]
    with found["own_package.good:Canned"](Access()) as canned:
        assert canned.send(Request(url="u")) == Answer(status=200, body=b"u")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "own_package.none:Canned",
            "The strategy own_package.none:Canned cannot be imported: ModuleNotFoundError: No ",
        ),
        (
            "own_package.good:None_",
            "The strategy own_package.good:None_ cannot be imported: own_package.good has no N",
        ),
        (
            "own_package.broken:Canned",
            "The strategy own_package.broken:Canned cannot be imported: ZeroDivisionError: divi",
        ),
        (
            "own_package.quits:Canned",
            "The strategy own_package.quits:Canned cannot be imported: SystemExit: 0.",
        ),
        (
            "own_package.good:NUMBER",
            "own_package.good:NUMBER is not a strategy: it is no subclass of",
        ),
        (
            "own_package.good:Unnamed",
            "own_package.good:Unnamed is not a strategy: it has no label.",
        ),
        ("own_package.good:Silent", "own_package.good:Silent is not a strategy: it has no send()."),
        ("keptalive.bench.plan:Plan", "keptalive.bench.plan:Plan is not a strategy: it is no sub"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_line_with_the_next_step(
    here: Path, name: str, said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        strategies_named([name])
    assert str(caught.value).startswith(said)
    assert "Next: " in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2


def test_a_session_of_ones_own_keeps_what_the_plan_does_not_set() -> None:
    own = requests.Session()
    own.auth, own.verify = ("me", "mine"), "corp.pem"
    Access(headers=(("X-Id", "7"),)).applied_to(own)
    assert (own.auth, own.verify, own.headers["X-Id"]) == (("me", "mine"), "corp.pem", "7")
    Access(auth=BearerAuth("abc"), verify="ca.pem").applied_to(own)
    assert (own.auth, own.verify) == (BearerAuth("abc"), "ca.pem")


@pytest.mark.parametrize(
    "name", ["good", "own_package.good", "own_package/good:A", ":A", "a:", "a:b.c", "a b:C"]
)
def test_a_plan_refuses_what_names_no_class(name: str) -> None:
    with pytest.raises(UsageError, match=r'"package\.module:Class" for one of your own'):
        with_values(Plan(), {"strategies": [name]}, source="It")


def test_a_plan_names_it_beside_the_three_and_a_gate_limits_it(here: Path) -> None:
    name = (
        "own_package.broken:Canned"  # a plan is not imported: it may be that of somebody's result
    )
    gate = {"strategy": name, "max_opened": 1}
    plan = with_values(Plan(), {"strategies": ["fresh", name], "gate": gate}, source="It")
    assert plan.strategies == ("fresh", name)
    assert plan.gate[0].strategy == name
    assert "own_package.broken" not in sys.modules


@pytest.mark.parametrize(
    ("access", "expected"),
    [
        (Access(), None),
        (Access(auth=BearerAuth("abc")), "Bearer abc"),
        (Access(auth=auth_for("basic", "abc")), "Basic a2VwdGFsaXZlOmFiYw=="),
        (Access(auth=HTTPBasicAuth("a", "b")), "Basic YTpi"),
    ],
)
def test_other_clients_than_requests_get_the_authorization_as_a_header(
    access: Access, expected: str | None
) -> None:
    assert access.authorization == expected


@pytest.mark.parametrize(
    ("name", "size", "block", "label"),
    [
        ("session-pool=2", 2, False, "pool 2"),
        ("session-pool-block=16", 16, True, "pool 16, waits"),
    ],
)
def test_a_session_has_a_pool_of_the_size_that_its_name_says(
    name: str, size: int, block: bool, label: str
) -> None:
    strategy = strategies_named([name])[name]
    for url in ("https://a.example", "http://a.example"):
        adapter = strategy.make_session().get_adapter(url)  # type: ignore[attr-defined]
        assert (adapter._pool_maxsize, adapter._pool_block) == (size, block)
    assert strategy.label == label
    assert strategy.settings() == f"pool_maxsize={size}, pool_block={block}"


@pytest.mark.parametrize(
    "name", ["session-pool", "session-pool=0", "session-pool=10000", "session-pool=x", "pool=2"]
)
def test_what_names_no_size_of_a_pool_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r'"session-pool-block=N" \(N from 1 to 9999\)'):
        with_values(Plan(), {"strategies": [name]}, source="The plan")
