"""Users are recorded apart: each by itself needs the connections that it has."""

from __future__ import annotations

import pytest
import requests
from tests.servers.peer import answers
from tests.servers.scripted import Server

from keptalive.causes import judge
from keptalive.locust.recorder import Part, UsersRecorder
from keptalive.locust.tally import classes_of
from keptalive.records.counts import total
from keptalive.watching.api import Watch
from keptalive.watching.attempts import ConnectionAttempt
from keptalive.watching.recorder import UNCONNECTED_KEPT


class Users:
    """Whose code runs now, as the test says."""

    now: tuple[str, int] | None = None

    def __call__(self) -> tuple[str, int] | None:
        return self.now


@pytest.fixture
def users() -> Users:
    return Users()


def run(users: Users, *turns: tuple[tuple[str, int] | None, requests.Session | None]):
    """Each turn is a user and the Session with which it sends a request; None: requests.get."""
    recorder = UsersRecorder(users)
    with Server(answers()) as server, Watch(recorder=recorder) as watch:
        for user, session in turns:
            users.now = user
            (session or requests).get(server.url, timeout=5)
    users.now = None
    parts = dict(recorder.parts_of(watch.record()))
    return recorder, parts, server.accepted


def test_each_user_has_its_own_connections_and_its_own_first_use(users):
    one, two = requests.Session(), requests.Session()
    with one, two:
        _, parts, accepted = run(
            users, *[(("Shop", 1), one), (("Shop", 2), two)] * 3, (("Shop", 1), None)
        )
    assert accepted == 3
    assert {part: total(record.hosts).opened for part, record in parts.items() if part.name} == {
        Part("Shop", 1): 2,
        Part("Shop", 2): 1,
    }
    [host] = judge.report(list(parts.values()), source="run").hosts
    assert {cause.cause: cause.count for cause in host.causes} == {"first-use": 2, "new-session": 1}
    assert (host.perfect.least, host.opened, host.reused) == (2, 3, 4)


def test_users_that_share_no_connection_need_one_each_though_they_take_turns(users):
    sessions = [requests.Session() for _ in range(4)]
    _, parts, accepted = run(users, *[(("Shop", n), one) for n, one in enumerate(sessions)] * 2)
    for one in sessions:
        one.close()
    [host] = judge.report(list(parts.values()), source="run").hosts
    assert (host.opened, host.perfect.most, accepted) == (4, 4, 4)


def test_what_no_user_sends_is_a_part_of_its_own_with_what_is_said_of_the_process(users):
    _, parts, _ = run(users, (None, None), (("Shop", 1), None))
    assert [record.hosts[0].opened for record in parts.values()] == [1, 1]
    assert next(iter(parts)) == Part()
    assert all(record.left_open == 0 for record in parts.values())


def test_memory_stays_the_same_where_a_server_refuses_ever_more_connections(users):
    recorder, users.now = UsersRecorder(users), ("Shop", 1)
    for number in range(UNCONNECTED_KEPT + 50):
        refused = {"id": number, "process": 1, "thread": 1, "host": "http://shop.example:80"}
        recorder.add(ConnectionAttempt(**refused, via=None, attempted=0.1))
    assert len(recorder.unconnected) == len(recorder._owners) == UNCONNECTED_KEPT


def test_the_counts_of_a_class_while_it_runs_are_those_of_its_records_at_the_end(users):
    session = requests.Session()
    with session:
        recorder, parts, _ = run(
            users, (("A", 1), session), (("A", 1), session), (("A", 2), None), (("B", 3), None)
        )
    classes = classes_of(recorder.used(), {})
    for name, one in classes.items():
        [running] = one.hosts
        ended = total(
            h for part, record in parts.items() if part.name == name for h in record.hosts
        )
        for field in (
            "requests",
            "opened",
            "opened_unanswered",
            "reused",
            "connects",
            "unanswered",
        ):
            assert getattr(running, field) == getattr(ended, field)
    assert {name: one.users for name, one in classes.items()} == {"A": 2, "B": 1}
