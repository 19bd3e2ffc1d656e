"""What is sent again, when, and what never is."""

from __future__ import annotations

import contextlib
import email.utils
import pickle
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter
from tests.servers.fixtures import listening_later
from tests.servers.peer import Script, answers
from tests.servers.pki import PKI, Trusted
from tests.servers.scripted import Server
from tests.servers.scripts import answers_once_then_hangs_up, hangs_up, never_answers
from tests.versions import URLLIB3_1
from urllib3.exceptions import InvalidHeader, ProtocolError
from urllib3.util import Retry
from urllib3.util.retry import RequestHistory

from keptalive import tuned_session
from keptalive.tuned import SafeRetry
from keptalive.tuned.retries import is_repeatable

SAFE = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"]
UNSAFE = ["POST", "PATCH", "LOCK"]


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long a retry would have waited, each time; it does not."""
    waits: list[float] = []
    instead = SimpleNamespace(sleep=waits.append, time=time.time)
    monkeypatch.setattr("urllib3.util.retry.time", instead)
    return waits


# Broken connections


@pytest.mark.parametrize("method", SAFE)
def test_what_is_idempotent_is_sent_again_after_a_stale_connection(
    method: str, waits: list[float]
) -> None:
    first = answers_once_then_hangs_up
    # A HEAD's answer has no body
    again = answers((200, "X-Again: yes"))
    with Server(first, again) as server, tuned_session() as session:
        session.get(server.url)
        assert session.request(method, server.url).status_code == 200
        sent = [request.method for request in server.requests]
        assert ["GET", method, method] == sent
        assert server.accepted == 2
        assert waits == []  # at once: it was most likely stale


@pytest.mark.parametrize("method", UNSAFE)
def test_what_is_not_idempotent_is_sent_once(method: str) -> None:
    with Server(answers_once_then_hangs_up, answers()) as server, tuned_session() as session:
        session.get(server.url)
        with pytest.raises(requests.ConnectionError):
            session.request(method, server.url, data=b"money")
        assert server.bodies == [b"", b"money"]


def test_every_method_is_sent_again_where_the_user_takes_the_risk() -> None:
    policy = SafeRetry(allowed_methods=None)
    with Server(answers_once_then_hangs_up, answers()) as server:
        with tuned_session(max_retries=policy) as session:
            session.get(server.url)
            assert session.post(server.url, b"money").status_code == 200
        assert server.bodies == [b"", b"money", b"money"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_any_method_is_sent_when_connecting_succeeds_at_last(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(listening_later())
        server = Server(listener=sock)
        waits: list[float] = []

        def sleep(seconds: float) -> None:
            waits.append(seconds)
            sock.listen()
            stack.enter_context(server)

        monkeypatch.setattr("urllib3.util.retry.time", SimpleNamespace(sleep=sleep, time=time.time))
        session = stack.enter_context(tuned_session())
        assert session.request(method, server.url, data=b"it").status_code == 200
        assert server.bodies == [b"it"]
        assert len(waits) == 1  # none after the first failure


def test_a_port_that_refuses_is_tried_four_times(waits: list[float]) -> None:
    with listening_later() as sock, tuned_session() as session:
        with pytest.raises(requests.ConnectionError, match="refused"):
            session.post("http://127.0.0.1:{1}/".format(*sock.getsockname()))
        assert [0.2 <= waits[0] <= 0.4, 0.4 <= waits[1] <= 0.8] == [True, True]
        assert len(waits) == 2


def test_a_connection_that_always_breaks_is_given_up_after_four(waits: list[float]) -> None:
    with Server(hangs_up) as server, tuned_session() as session:
        with pytest.raises(requests.ConnectionError):
            session.get(server.url)
        assert server.accepted == 4
        assert len(waits) == 2


@pytest.mark.parametrize("policy", [SafeRetry(), SafeRetry(allowed_methods=None)])
def test_nothing_is_sent_again_after_a_read_timeout(policy: SafeRetry) -> None:
    with Server(never_answers) as server, tuned_session(max_retries=policy) as session:
        with pytest.raises(requests.ReadTimeout):
            session.get(server.url, timeout=(1, 0.03))
        with pytest.raises(requests.ReadTimeout):
            session.post(server.url, timeout=(1, 0.03))
        server.wait_for_scripts(2)  # they may be later than the client is patient
        assert sorted(request.method for request in server.requests) == ["GET", "POST"]


def test_a_certificate_that_does_not_verify_is_shown_once(trusted: Trusted, pki: PKI) -> None:
    with Server(tls=trusted.server) as server, tuned_session() as session:
        with pytest.raises(requests.exceptions.SSLError):
            session.get(server.url, verify=pki.other)
        assert server.accepted == 1


# Statuses


PASSING = [429, 502, 503, 504]


@pytest.mark.parametrize("status", PASSING)
def test_a_passing_status_is_asked_again_and_the_last_answer_handed_on(
    status: int, waits: list[float]
) -> None:
    with Server(answers((status,))) as server, tuned_session() as session:
        response = session.get(server.url)
        assert (status, "ok") == (response.status_code, response.text)
        assert len(server.requests) == 4
        assert server.accepted == 1
        bounds = [(0.1, 0.2), (0.2, 0.4), (0.4, 0.8)]
        assert [low <= wait <= high for wait, (low, high) in zip(waits, bounds, strict=True)]


@pytest.mark.parametrize("status", PASSING)
def test_an_answer_that_comes_right_is_the_answer(status: int, waits: list[float]) -> None:
    with Server(answers((status,), (status,), (200,))) as server, tuned_session() as session:
        assert session.get(server.url).status_code == 200
        assert len(server.requests) == 3
        assert server.accepted == 1


@pytest.mark.parametrize("status", [200, 204, 304, 400, 401, 403, 404, 408, 413, 425, 500, 501])
def test_no_other_status_is_asked_again(status: int, waits: list[float]) -> None:
    body = {"body": b""} if status in (204, 304) else {}

    def script(peer: Any) -> None:
        while peer.request():
            peer.respond(status, "Retry-After: 1", **body)

    with Server(script) as server, tuned_session() as session:
        assert session.get(server.url).status_code == status
        assert len(server.requests) == 1
        assert waits == []


@pytest.mark.parametrize("status", PASSING)
def test_a_post_is_not_sent_again_after_a_status(status: int, waits: list[float]) -> None:
    with Server(answers((status, "Retry-After: 1"))) as server, tuned_session() as session:
        assert session.post(server.url).status_code == status
        assert len(server.requests) == 1
        assert waits == []


@pytest.mark.parametrize("status", PASSING)
@pytest.mark.parametrize("asked", ["7", "  7 ", "60"])
def test_what_retry_after_asks_for_is_waited_for(
    status: int, asked: str, waits: list[float]
) -> None:
    script = answers((status, f"Retry-After: {asked}"), (200,))
    with Server(script) as server, tuned_session() as session:
        assert session.get(server.url).status_code == 200
        assert [float(asked)] == waits


def test_retry_after_may_be_a_date(waits: list[float]) -> None:
    date = email.utils.formatdate(time.time() + 20, usegmt=True)
    script = answers((503, f"Retry-After: {date}"), (200,))
    with Server(script) as server, tuned_session() as session:
        assert session.get(server.url).status_code == 200
        assert len(waits) == 1
        assert 15 < waits[0] <= 20


@pytest.mark.parametrize(
    "asked",
    [
        "61",
        "3600",
        "9" * 30,
        pytest.param(email.utils.formatdate(time.time() + 3600, usegmt=True), id="in an hour"),
        "Fri, 31 Dec 9999 23:59:59 GMT",
    ],
)
def test_who_asks_for_too_long_a_wait_is_not_asked_again(asked: str, waits: list[float]) -> None:
    script = answers((429, f"Retry-After: {asked}"), (200,))
    with Server(script) as server, tuned_session() as session:
        response = session.get(server.url)
        assert (response.status_code, response.text) == (429, "ok")
        assert len(server.requests) == 1
        assert waits == []


SENSELESS = [
    "soon",
    "-5",
    "1.5",
    "7 s",
    "0",
    "Fri, 31 Dec 1999 23:59:59 GMT",  # long past
    "Fri, 31 Dec 99999 23:59:59 GMT",
    "Fri, 31 Foo 2030 23:59:59 GMT",
    "Fri, 99 Dec 2001 99:99:99 GMT",
    "\N{SUPERSCRIPT TWO}",
]


@pytest.mark.parametrize("asked", SENSELESS)
def test_a_retry_after_without_sense_counts_as_none(asked: str, waits: list[float]) -> None:
    script = answers((503, f"Retry-After: {asked}"), (200,))
    with Server(script) as server, tuned_session() as session:
        assert session.get(server.url).status_code == 200
        assert len(waits) == 1
        assert 0.1 <= waits[0] <= 0.2


@pytest.mark.parametrize("digits", [400, 5000])  # beyond a float, and beyond what int() reads
def test_a_retry_after_of_any_length_is_no_error(digits: int, waits: list[float]) -> None:
    script = answers((503, f"Retry-After: {'9' * digits}"), (200,))
    with Server(script) as server, tuned_session() as session:
        assert session.get(server.url).status_code in (200, 503)
        assert all(wait <= 60 for wait in waits)


@given(
    st.text(max_size=40)
    | st.from_regex(r"\A[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,6} \d+:\d+:\d+ [-+A-Z0-9]{1,9}\Z")
)
def test_no_retry_after_whatever_breaks_the_request(asked: str) -> None:
    response = SimpleNamespace(headers={"Retry-After": asked})
    found = SafeRetry().get_retry_after(response)
    assert found is None or found >= 0


@pytest.mark.parametrize("asked", ["7", "3600"])
def test_retry_after_may_be_ignored(asked: str, waits: list[float]) -> None:
    policy = SafeRetry(respect_retry_after_header=False)
    script = answers((503, f"Retry-After: {asked}"), (200,))
    with Server(script) as server, tuned_session(max_retries=policy) as session:
        assert session.get(server.url).status_code == 200
        assert len(waits) == 1
        assert 0.1 <= waits[0] <= 0.2


def test_the_last_answer_may_be_an_error_instead(waits: list[float]) -> None:
    policy = SafeRetry(1, raise_on_status=True)
    with Server(answers((503,))) as server, tuned_session(max_retries=policy) as session:
        with pytest.raises(requests.exceptions.RetryError):
            session.get(server.url)
        assert len(server.requests) == 2


def test_a_policy_may_name_other_statuses(waits: list[float]) -> None:
    policy = SafeRetry(1, status_forcelist=[500])
    with Server(answers((500,), (503,))) as server, tuned_session(max_retries=policy) as session:
        assert session.get(server.url).status_code == 503
        assert len(server.requests) == 2


# Waiting

Broken = RequestHistory("GET", "/", ProtocolError("broken"), None, None)
Status = RequestHistory("GET", "/", None, 503, None)
Redirect = RequestHistory("GET", "/", None, 302, "/there")
past = st.lists(st.sampled_from([Broken, Status, Redirect]), max_size=12)


def after(history: list[RequestHistory], **settings: Any) -> float:
    return SafeRetry(20, history=tuple(history), **settings).get_backoff_time()


def test_nothing_is_waited_for_before_anything_failed() -> None:
    assert after([]) == 0


@given(past)
def test_a_broken_connection_by_itself_is_not_waited_for(history: list[RequestHistory]) -> None:
    assert after([Broken]) == 0
    assert after([*history, Redirect, Broken]) == 0


@given(past)
def test_a_wait_lies_between_half_and_all_of_its_doubled_time(
    history: list[RequestHistory],
) -> None:
    history = [*history, Status]
    since = history[::-1].index(Redirect) if Redirect in history else len(history)
    longest = min(20, 0.2 * 2 ** (since - 1))
    assert longest / 2 <= after(history) <= longest


def test_waits_double_up_to_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda _, high: high)
    waits = [after([Status] * failures) for failures in range(1, 10)]
    assert pytest.approx(waits) == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 20, 20]


def test_waits_differ_from_one_another() -> None:
    assert len({after([Status, Status]) for _ in range(20)}) > 1


def test_the_factor_scales_all_waits() -> None:
    assert 2.5 <= after([Status], backoff_factor=5) <= 5
    assert after([Status, Status], backoff_factor=0) == 0


def test_no_number_of_failures_is_too_much_to_count() -> None:
    assert 10 <= after([Status] * 2000) <= 20


# The user's own policy

POLICIES = {
    "0": 0,
    "5": 5,
    "false": False,
    "Retry(2)": Retry(2, backoff_factor=0),
    "Retry(0)": Retry(0),
    "Retry(False)": Retry(False),
    "500s": Retry(2, status_forcelist=[500]),
    "500s, handed on": Retry(2, status_forcelist=[500], raise_on_status=False),
    "no read": Retry(3, read=False),
    "any method": Retry(2, allowed_methods=None),
}
SCRIPTS: dict[str, list[Script]] = {
    "fine": [answers()],
    "breaks": [hangs_up],
    "breaks once": [hangs_up, answers()],
    "stale": [answers_once_then_hangs_up, answers()],
    "500": [answers((500,))],
    "503": [answers((503,))],
    "503, Retry-After": [answers((503, "Retry-After: 3"), (200,))],
    "503, nonsense": [answers((503, "Retry-After: soon"), (200,))],
}


def outcome(work: Callable[[], requests.Response]) -> int | type[Exception]:
    try:
        return work().status_code
    except Exception as error:  # noqa: BLE001 - the same one, whatever it is
        return type(error)


def course(session: requests.Session, method: str, scripts: list[Script]) -> list[Any]:
    """What came of two requests, and what the server saw of them."""
    with Server(*scripts) as server, session:
        found = [outcome(lambda: session.request(method, server.url, data=b"it")) for _ in range(2)]
        return [*found, server.accepted, server.bodies]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("scripts", SCRIPTS)
def test_any_other_policy_works_as_in_requests(
    policy: str, scripts: str, waits: list[float]
) -> None:
    for method in ("PUT", "POST"):
        plain = requests.Session()
        plain.mount("http://", HTTPAdapter(max_retries=POLICIES[policy]))
        expected = course(plain, method, SCRIPTS[scripts])
        expected_waits, waits[:] = list(waits), []
        tuned = tuned_session(max_retries=POLICIES[policy])
        assert expected == course(tuned, method, SCRIPTS[scripts])
        assert expected_waits == waits
        waits.clear()


def test_a_number_is_that_of_requests_own_policy() -> None:
    for number in (0, 1, 5):
        plain = HTTPAdapter(max_retries=number).max_retries
        tuned = tuned_session(max_retries=number).get_adapter("http://").max_retries
        assert type(plain) is type(tuned)
        assert vars(plain) == vars(tuned)


def test_nothing_at_all_is_sent_again_with_zero() -> None:
    for scripts in ([hangs_up], [answers((503,))]):
        with Server(*scripts) as server, tuned_session(max_retries=0) as session:
            with contextlib.suppress(requests.ConnectionError):
                session.get(server.url)
            assert len(server.requests) == 1


@pytest.mark.parametrize(
    "policy", [SafeRetry(), SafeRetry(0), SafeRetry(2, allowed_methods=None, backoff_factor=7)]
)
def test_a_policy_survives_pickling(policy: SafeRetry) -> None:
    again = pickle.loads(pickle.dumps(policy))
    assert type(again) is SafeRetry
    assert vars(policy) == vars(again)


def test_one_policy_serves_many_requests(waits: list[float]) -> None:
    with Server(answers((503,))) as server, tuned_session() as session:
        for _ in range(3):
            session.get(server.url)
        assert len(server.requests) == 3 * 4


class Patient(SafeRetry):
    LONGEST_WAIT = 7200


def test_a_subclass_may_be_more_patient(waits: list[float]) -> None:
    script = answers((503, "Retry-After: 3600"), (200,))
    with Server(script) as server, tuned_session(max_retries=Patient()) as session:
        assert session.get(server.url).status_code == 200
        assert waits == [3600.0]


def test_what_urllib3_calls_an_invalid_header_is_one() -> None:
    # what `get_retry_after` relies on
    with pytest.raises(InvalidHeader):
        Retry().parse_retry_after("soon")


@pytest.mark.skipif(URLLIB3_1, reason="urllib3 1.26 has neither of these settings")
def test_a_longest_backoff_may_be_given_as_to_urllib3() -> None:
    assert after([Status] * 12, backoff_max=1) <= 1


@pytest.mark.parametrize(
    ("method", "policy", "expected"),
    [
        ("GET", SafeRetry(), True),
        ("get", SafeRetry(), True),
        ("POST", SafeRetry(), False),
        ("POST", SafeRetry(allowed_methods=None), True),
        ("GET", Retry(False), False),
        ("GET", Retry(0, read=False), False),
        ("GET", Retry(3, read=False), False),
        ("GET", Retry(3, read=0), False),
        ("GET", Retry(None, read=1), True),
        ("GET", None, False),
        (None, SafeRetry(), False),
    ],
)
def test_whether_a_request_would_be_sent_again(
    method: str | None, policy: object, expected: bool
) -> None:
    assert is_repeatable(method, policy) is expected
