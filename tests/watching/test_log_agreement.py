"""What `explain` tells from a log agrees with what `watch()` saw of the same program.

A real log, of a real `logging.FileHandler`: the counts of each host are the same, and each cause
that the watch names is one that the log leaves open.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter

from keptalive import tuned_session
from keptalive.bench import pool_log
from keptalive.causes.log_sets import members_of
from keptalive.logs.explain import explained
from keptalive.lookalike.process import Lookalike
from keptalive.records.plain import as_plain
from keptalive.watching.api import watch

COUNTED = ("requests", "attempts", "opened", "reopened", "reused")
TOLD = "%(asctime)s [pid %(process)d] [%(threadName)s] %(levelname)s %(name)s: %(message)s"
UNTOLD = "%(levelname)s:%(name)s:%(message)s"
PATIENCE_S = 30.0
RETRIES = urllib3.Retry(9, backoff_factor=0, redirect=False)
IDLE = ("idle-timeout=60", "idle-reset=60", "timeout-408=60")
SCENARIOS = (
    "keep-alive",
    "close-announced",
    "http-1.0",
    "request-limit=3",
    "request-limit-announced=3",
    "stray-bytes=2",
    "stale=2",
    "truncated-body=5",
    *IDLE,
)
Get = Callable[..., Any]


@pytest.fixture(scope="module")
def lookalike() -> Iterator[Lookalike]:
    with Lookalike.start(SCENARIOS) as running:
        yield running


@contextmanager
def logging_to(path: Path, form: str) -> Iterator[None]:
    logger = logging.getLogger(pool_log.LOGGER)
    before = logger.level, logger.propagate
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter(form))
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]
        handler.close()


class Told:
    """Both reports of one program, host by host."""

    def __init__(self, path: Path, form: str = TOLD) -> None:
        self._path, self._form = path, form

    @contextmanager
    def of(self) -> Iterator[None]:
        with logging_to(self._path, self._form), watch() as watched:
            yield
        self.seen = by_host(watched.report())
        self.log = by_host(as_plain(explained(str(self._path))))

    def agree(self) -> None:
        assert numbers(self.seen) == numbers(self.log)
        for host, row in self.seen.items():
            contained(causes(row), causes(self.log[host]))
            proved(row["perfect"], self.log[host]["perfect"])

    def causes(self) -> dict[str, int]:
        """How often the log tells of each kind."""
        total: Counter[str] = Counter()
        for row in self.log.values():
            total.update(causes(row))
        return dict(total)


def by_host(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["host"]: row for row in report["hosts"]}


def numbers(rows: dict[str, dict[str, Any]]) -> dict[str, dict[str, int]]:
    return {host: {name: row[name] for name in COUNTED} for host, row in rows.items()}


def causes(row: dict[str, Any]) -> dict[str, int]:
    return {cause["cause"]: cause["count"] for cause in row["causes"]}


def proved(seen: dict[str, int], log: dict[str, int]) -> None:
    """What the log has proved to be at once, the watch has seen at once."""
    assert log["least"] <= seen["most"], (seen, log)


def contained(seen: dict[str, int], log: dict[str, int]) -> None:
    """Each cause that was seen has a place of its own in a set of the log's that has it."""
    assert sum(seen.values()) == sum(log.values())
    places = [members_of(cause) for cause, count in log.items() for _ in range(count)]
    # what the watch does not know itself may be anything
    wanted = [cause for cause, n in seen.items() if cause != "unknown" for _ in range(n)]
    taken: dict[int, int] = {}

    def place(number: int, tried: set[int]) -> bool:
        for at, members in enumerate(places):
            if wanted[number] in members and at not in tried:
                tried.add(at)
                if at not in taken or place(taken[at], tried):
                    taken[at] = number
                    return True
        return False

    for number in range(len(wanted)):
        assert place(number, set()), (wanted[number], seen, log)


def getter(lookalike: Lookalike, bundle: str) -> Get:
    headers = {"Authorization": f"token {lookalike.token}"}
    given = {"headers": headers, "verify": bundle, "timeout": PATIENCE_S}

    def get(made: requests.Session, scenario: str, **settings: Any) -> requests.Response:
        return made.get(f"{lookalike.url(scenario)}/user", **{**given, **settings})

    return get


@pytest.fixture
def get(lookalike: Lookalike, bundle: str) -> Get:
    return getter(lookalike, bundle)


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path / "debug.log")


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("retries", [0, RETRIES], ids=["no retries", "retries"])
def test_one_session_is_told_alike(lookalike, get, told, scenario, retries):
    with told.of(), requests.Session() as made:
        made.mount("https://", HTTPAdapter(max_retries=retries))
        for number in range(12):
            if scenario in IDLE and number % 3 == 2:
                lookalike.skip(scenario, seconds=61)
            try:
                get(made, scenario)
            except requests.RequestException:
                assert scenario.startswith(("truncated-body", "stale"))
    if scenario.startswith("stale") and not retries:
        # what failed on a kept connection, and was not sent again, has no line in the log
        for row in told.seen.values():
            lost = row["attempts"] - row["opened"] - row["reused"]
            row["attempts"] -= lost
            row["requests"] -= lost
    told.agree()
    assert told.causes().get("first-use") == 1


def test_a_session_for_each_request_is_told_as_new_pools(get, told):
    with told.of():
        for _ in range(5):
            with requests.Session() as made:
                get(made, "keep-alive")
    told.agree()
    assert told.causes() == {"first-use": 1, "new-pool": 4}


def test_a_session_that_was_closed_and_used_again_is_told_as_a_new_pool(get, told):
    made = requests.Session()
    with told.of():
        for _ in range(3):
            get(made, "keep-alive")
            made.close()
    told.agree()
    assert told.causes() == {"first-use": 1, "new-pool": 2}


def test_more_hosts_than_pools_are_told_as_new_pools(get, told):
    with told.of(), requests.Session() as made:
        made.mount("https://", HTTPAdapter(pool_connections=2))
        for _ in range(3):
            for scenario in SCENARIOS[:4]:
                get(made, scenario)
    told.agree()
    assert told.causes() == {"first-use": 4, "new-pool": 8}


def test_unread_responses_are_told_as_a_busy_pool(get, told):
    with told.of(), requests.Session() as made:
        unread = [get(made, "keep-alive", stream=True) for _ in range(4)]
        for response in unread:
            response.close()
    told.agree()
    assert told.causes() == {"first-use": 1, "connection-not-returned": 3}


def test_a_body_that_is_not_read_is_told_as_dropped(get, told):
    with told.of(), requests.Session() as made:
        for _ in range(4):
            get(made, "keep-alive", stream=True).close()
    told.agree()


@pytest.mark.parametrize("max_idle", [None, 1e-6])
def test_a_tuned_session_is_told_alike(get, told, max_idle):
    with told.of(), tuned_session(max_idle=max_idle) as made:
        for _ in range(5):
            get(made, "keep-alive")
    told.agree()


@pytest.mark.parametrize("retries", [0, 2])
def test_openings_that_fail_are_attempts_and_not_opened(get, told, retries, refusing):
    with told.of(), requests.Session() as made:
        made.mount("http://", HTTPAdapter(max_retries=retries))
        for _ in range(3):
            get(made, "keep-alive")
            with pytest.raises(requests.ConnectionError):
                made.get(refusing)
    told.agree()
    refused = told.log[refusing.rstrip("/")]
    assert [refused[name] for name in COUNTED] == [3, 3 * (1 + retries), 0, 0, 0]


@pytest.mark.parametrize("form", [TOLD, UNTOLD], ids=["thread names", "no thread names"])
@pytest.mark.parametrize("size", [2, 10])
def test_threads_that_share_a_session_are_told_alike(lookalike, get, tmp_path, form, size):
    told = Told(tmp_path / "debug.log", form)
    with told.of(), requests.Session() as made, ThreadPoolExecutor(8) as threads:
        made.mount("https://", HTTPAdapter(pool_maxsize=size))
        list(threads.map(lambda _: get(made, "keep-alive").status_code, range(80)))
    told.agree()
    assert set(told.causes()) <= {"first-use", "concurrency", "no-free-connection", "full-pool"}


def test_what_threads_do_at_once_is_told_alike_whatever_the_server_does(lookalike, get, tmp_path):
    for seed in range(6):
        told, chance = Told(tmp_path / f"{seed}.log"), random.Random(seed)
        made = requests.Session()
        sizes = {"pool_maxsize": chance.choice([1, 3, 10]), "pool_connections": 20}
        made.mount("https://", HTTPAdapter(max_retries=RETRIES, **sizes))

        def work(number: int, made: requests.Session = made) -> None:
            mine = random.Random(number)
            for _ in range(20):
                scenario = mine.choice(SCENARIOS)
                try:
                    get(made, scenario)
                except requests.RequestException:
                    assert scenario.startswith("truncated-body")

        with told.of(), made, ThreadPoolExecutor(4) as threads:
            list(threads.map(work, range(seed * 4, seed * 4 + 4)))
        told.agree()
