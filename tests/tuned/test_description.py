"""`describe` says each setting of the tuned Session, word for word."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from keptalive import tuned_session
from keptalive.tuned import SafeRetry, TunedAdapter
from keptalive.tuned.description import retry_lines

DEFAULT = """\
https:// and http://
TLS               each CA bundle and client certificate is read once, and when it changes
pools             10 hosts, 10 connections each; more are opened when needed, and not kept
idle connections  used for as long as each server is known to keep them;
                  after that, only by requests that may be sent twice
timeouts          10 s to connect, 30 s between bytes
TCP keepalive     sends probes on a silent connection, so that no NAT forgets it
retries           DELETE, GET, HEAD, OPTIONS, PUT, TRACE: up to 3 times
                  after a broken connection, 429, 502, 503 or 504
                  waits as long as Retry-After says, up to 60 s
                  other methods: only if nothing was sent"""

ALL_ELSE = """\
https:// and http://
TLS               each CA bundle and client certificate is read once, and when it changes
pools             20 hosts, 8 connections each; one more waits up to 7.5 s
idle connections  replaced after 0.5 s, before use
timeouts          5 s to connect, 2.5 s between bytes
TCP keepalive     sends probes on a silent connection, so that no NAT forgets it
retries           any method: up to 1 time
                  after a broken connection or 500"""

NO_LIMITS = """\
https:// and http://
TLS               each CA bundle and client certificate is read once, and when it changes
pools             10 hosts, 4 connections each; one more waits for one of them
idle connections  never replaced
timeouts          no limit to connect, no limit between bytes
TCP keepalive     sends probes on a silent connection, so that no NAT forgets it
retries           none"""


def everything_else() -> requests.Session:
    policy = SafeRetry(
        1, allowed_methods=None, status_forcelist=[500], respect_retry_after_header=False
    )
    return tuned_session(threads=8, hosts=20, max_idle=0.5, timeout=(5.0, 2.5), max_retries=policy)


def without_limits() -> requests.Session:
    return tuned_session(threads=4, max_idle=None, timeout=None, max_retries=0)


@pytest.mark.parametrize(
    ("make", "expected"),
    [(tuned_session, DEFAULT), (everything_else, ALL_ELSE), (without_limits, NO_LIMITS)],
)
def test_a_description_says_each_setting(
    make: Callable[[], requests.Session], expected: str
) -> None:
    with make() as session:
        assert expected == session.describe()


def test_one_number_is_both_timeouts_and_their_sum_the_wait_for_a_connection() -> None:
    with tuned_session(threads=1, timeout=4) as session:
        described = session.describe()
        assert "4 s to connect, 4 s between bytes" in described
        assert "10 hosts, 1 connections each; one more waits up to 8 s" in described


def test_one_timeout_without_limit() -> None:
    with tuned_session(threads=1, timeout=(3, None)) as session:
        described = session.describe()
        assert "3 s to connect, no limit between bytes" in described
        assert "one more waits for one of them" in described


def test_each_adapter_is_described_once_with_its_prefixes() -> None:
    with tuned_session() as session:
        session.mount("https://one.test/", TunedAdapter(max_idle=7))
        session.mount("https://other.test/", HTTPAdapter())
        parts = session.describe().split("\nhttp")
        assert parts[0] == "https://other.test/\nHTTPAdapter"
        assert parts[1].startswith("s://one.test/\nTLS ")
        assert "replaced after 7 s" in parts[1]
        assert f"http{parts[2]}" == DEFAULT


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Retry(0, read=False), ["none"]),
        (Retry(False), ["none"]),
        (
            Retry(5),
            [
                "DELETE, GET, HEAD, OPTIONS, PUT, TRACE: up to 5 times",
                "after a broken connection",
                "other methods: only if nothing was sent",
            ],
        ),
        (
            Retry(2, read=False, allowed_methods=["GET"], status_forcelist=[503, 500]),
            [
                "GET: up to 2 times",
                "after 500 or 503",
                "other methods: only if nothing was sent",
            ],
        ),
        (Retry(1, read=False, allowed_methods=None), ["any method: up to 1 time"]),
    ],
)
def test_the_retries_of_a_policy_are_described(policy: Retry, expected: list[str]) -> None:
    assert expected == retry_lines(policy)


def test_a_policy_without_a_total_is_not_described_as_no_retries() -> None:
    # urllib3: "Set to None to remove this constraint and fall back on other counts"
    assert retry_lines(Retry(None, connect=3, read=3)) != ["none"]


def test_a_policy_that_retries_no_read_does_not_say_that_it_does() -> None:
    assert "after a broken connection" not in retry_lines(Retry(3, read=0))
