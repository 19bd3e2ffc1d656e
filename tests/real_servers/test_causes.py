"""`watch()` names the right cause for each connection that a real server made necessary."""

from __future__ import annotations

from collections import Counter

import pytest
import requests
import urllib3
from tests.real_servers.clients import wait_for, wait_for_the_end
from tests.real_servers.setups.running import running
from tests.real_servers.setups.setup import Setup
from tests.real_servers.setups.table import SETUPS

from keptalive import watch

pytestmark = pytest.mark.complete

IDLE = [setup for setup in SETUPS if setup.policy.idle_s is not None]
LIMITED = [setup for setup in SETUPS if setup.policy.requests is not None]
AGED = [setup for setup in SETUPS if setup.policy.age_s is not None]
BEFORE_A_REQUEST = [setup for setup in SETUPS if setup.settings == "timeout http-request 2s"]
MANY = 13  # requests, and more than twice the limit of those that have a low one


def named(setup: Setup) -> str:
    return setup.name


def session_for(server) -> requests.Session:
    session = requests.Session()
    session.verify = True if server.bundle is None else str(server.bundle)
    return session


def causes_of(watched) -> dict[str, int]:
    (host,) = watched.result().hosts
    return {cause.cause: cause.count for cause in host.causes}


@pytest.mark.parametrize("setup", IDLE, ids=named)
@pytest.mark.parametrize("times", [1, 2])
def test_a_connection_that_the_server_closes_while_idle_is_an_idle_timeout(setup, times) -> None:
    with running(setup) as server, session_for(server) as session, watch() as watched:
        session.get(server.url).raise_for_status()
        for _ in range(times):
            wait_for_the_end(session, server.url)
            session.get(server.url).raise_for_status()
    assert causes_of(watched) == {"first-use": 1, "idle-timeout": times}
    assert len(server.responses()) == 1 + times


@pytest.mark.parametrize("setup", LIMITED, ids=named)
def test_a_connection_that_has_served_enough_has_the_cause_that_the_server_gives(setup) -> None:
    limit = setup.policy.requests
    number = MANY if limit < MANY else 2 * limit + 1
    with running(setup) as server, session_for(server) as session, watch() as watched:
        for _ in range(number):
            session.get(server.url).raise_for_status()
    replaced = -(-number // limit) - 1
    assert causes_of(watched) == {"first-use": 1, setup.policy.cause: replaced}
    assert Counter(server.responses())[limit] >= number // limit
    assert sum(server.responses()) == number


@pytest.mark.parametrize("setup", AGED, ids=named)
def test_a_connection_that_is_too_old_ends_by_an_announced_close(setup) -> None:
    with running(setup) as server, session_for(server) as session, watch() as watched:
        while watched.opened < 2:
            session.get(server.url).raise_for_status()
    assert causes_of(watched) == {"first-use": 1, "close-announced": 1}
    assert len(server.responses()) == 2


@pytest.mark.parametrize("setup", BEFORE_A_REQUEST, ids=named)
def test_a_connection_that_was_opened_too_early_gets_a_408_before_its_request(setup) -> None:
    with running(setup) as server, watch() as watched:
        with urllib3.HTTPConnectionPool("127.0.0.1", server.port, maxsize=2) as pool:
            assert pool.request("GET", "/user").status == 200
            used, early = pool._get_conn(), pool._get_conn()
            early.connect()
            wait_for(early.sock)
            for connection in (used, early):  # the last one is the next to be used
                pool._put_conn(connection)
            assert pool.request("GET", "/user").status == 200
    last = watched.result().connections[-1]
    assert (last.cause, last.served) == ("timeout-408", 1)
