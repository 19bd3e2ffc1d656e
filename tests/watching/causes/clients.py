"""What the tests of causes share: clients of each kind, a clock, and causes by count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import requests
import urllib3
from tests.pairs import pairwise
from tests.servers.scripted import PATIENCE_S

from keptalive import tuned_session
from keptalive.watching.api import Watch

SCHEMES = ("http", "https")
RETRIES = urllib3.Retry(9, backoff_factor=0)
NONE_BUT_REDIRECTS = urllib3.Retry(3, connect=0, read=0, status=0, other=0)


class Clock:
    """Seconds, as the test says."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def causes(watched: Watch) -> dict[str, int]:
    """Each cause's count over all hosts; they add up to what was opened, without a warning."""
    report = watched.report()
    counts: Counter[str] = Counter()
    for host in report["hosts"]:
        found = {cause["cause"]: cause["count"] for cause in host["causes"]}
        assert sum(found.values()) == host["opened"]
        counts.update(found)
    assert report["warnings"] == []
    return {cause: count for cause, count in counts.items() if count}


Get = Callable[..., Any]


def session_gets(made: requests.Session, bundle: str) -> Get:
    made.trust_env = False
    made.verify = bundle

    def get(url: str, **settings: Any) -> requests.Response:
        return made.get(url, **{"timeout": PATIENCE_S, **settings})

    return get


def pools_get(made: urllib3.PoolManager, _bundle: str) -> Get:
    def get(url: str, *, stream: bool = False, **settings: Any) -> Any:
        given = {"timeout": PATIENCE_S, "retries": NONE_BUT_REDIRECTS, **settings}
        return made.request("GET", url, preload_content=not stream, **given)

    return get


CLIENTS: dict[str, Callable[[str], tuple[Any, Callable[..., Get]]]] = {
    "Session": lambda _bundle: (requests.Session(), session_gets),
    "tuned_session": lambda _bundle: (tuned_session(), session_gets),
    "PoolManager": lambda bundle: (urllib3.PoolManager(ca_certs=bundle), pools_get),
}


def of_each_client_and_scheme(**parameter: Iterable[Any]) -> pytest.MarkDecorator:
    """Give a test `get`, `serve_both` and one parameter more, in pairwise combinations."""
    [(name, values)] = parameter.items()
    return pytest.mark.parametrize(
        ("get", "serve_both", name),
        pairwise(list(CLIENTS), SCHEMES, list(values)),
        indirect=["get", "serve_both"],
    )
