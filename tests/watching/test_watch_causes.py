"""Each cause, brought about by a real server or by the program, is named, and counted right."""

from __future__ import annotations

import random
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter

from keptalive import tuned_session
from keptalive.lookalike.process import Lookalike
from keptalive.watching.watch import Watch, watch

from ..clients.tuned.servers import (
    PATIENCE_S,
    REQUESTS,
    URLLIB3_1,
    Authority,
    Peer,
    Script,
    Server,
    answers,
    authority,
    never_answers,
    tunnel,
)

OK = b"HTTP/1.1 200 -\r\nContent-Length: 2\r\n\r\nok"
RETRIES = urllib3.Retry(9, backoff_factor=0)
NONE_BUT_REDIRECTS = urllib3.Retry(3, connect=0, read=0, status=0, other=0)


class Clock:
    """Seconds, as the test says."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def causes(watched: Watch) -> dict[str, int]:
    """Each cause's count over all hosts; they add up to what was opened, and nothing failed."""
    report = watched.report()
    counts: Counter[str] = Counter()
    for host in report["hosts"]:
        found = {cause["cause"]: cause["count"] for cause in host["causes"]}
        assert sum(found.values()) == host["opened"]
        counts.update(found)
    hidden = [line for line in report["warnings"] if line.startswith("Retries hid")]
    assert bool(hidden) == bool(counts["retry"])
    assert report["warnings"] == hidden
    return {cause: count for cause, count in counts.items() if count}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watched(clock: Clock) -> Iterator[Watch]:
    with watch(clock=clock) as seen:
        yield seen


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = authority(tmp_path_factory.mktemp("watched"))
    # so that a server can ask for a certificate late, a TLS message of its own
    made.server.verify_mode, made.server.post_handshake_auth = ssl.CERT_OPTIONAL, True
    made.server.load_verify_locations(made.bundle)
    return made


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(params=["http", "https"])
def serve(
    request: pytest.FixtureRequest, trusted: Authority, opened: ExitStack
) -> Callable[..., Server]:
    """Start servers that play scripts, of each scheme in turn."""
    tls = trusted.server if request.param == "https" else None
    return lambda *scripts: opened.enter_context(Server(*scripts, tls=tls))


@pytest.fixture
def serve_plain(opened: ExitStack) -> Callable[..., Server]:
    return lambda *scripts: opened.enter_context(Server(*scripts))


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


@pytest.fixture(params=CLIENTS)
def get(
    request: pytest.FixtureRequest, trusted: Authority, opened: ExitStack, watched: Watch
) -> Get:
    """One kept client of each kind in turn, which asks under the watch."""
    made, gets = CLIENTS[request.param](trusted.bundle)
    return gets(opened.enter_context(made), trusted.bundle)


@pytest.fixture
def session(trusted: Authority, watched: Watch) -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env, made.verify = False, trusted.bundle
        yield made


class Then:
    """A script that answers, and then does the same to each connection after its n-th response.

    That is when the client has read it; and it is done before the client asks again.
    """

    def __init__(self, does: Callable[[Peer], None], *, after: tuple[int, ...] = (1,)) -> None:
        self._does, self._after = does, list(after)
        self._read, self._done = threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, peer: Peer) -> None:
        after = self._after.pop(0) if len(self._after) > 1 else self._after[0]
        asked = 0
        while peer.asked():
            asked += 1
            peer.write(OK)
            assert self._read.acquire(timeout=PATIENCE_S)
            ended = asked == after
            if ended:
                self._does(peer)
            self._done.release()
            if ended and self._does is not late_message:
                return

    def asked(self, get: Get, url: str, *, times: int) -> None:
        for _ in range(times):
            get(url)
            self._read.release()
            assert self._done.acquire(timeout=PATIENCE_S)


def closes(peer: Peer) -> None:
    peer.close()


def says_goodbye(peer: Peer) -> None:
    if isinstance(peer._sock, ssl.SSLSocket):
        peer._sock.settimeout(0)
        with suppress(ssl.SSLWantReadError):
            peer._sock.unwrap()  # its close_notify is sent; the client's is not waited for
    peer.close()


def resets(peer: Peer) -> None:
    peer._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def times_out(peer: Peer) -> None:
    peer.write(b"HTTP/1.1 408 Request Time-out\r\nConnection: close\r\n\r\n")
    peer.close()


def strays(peer: Peer) -> None:
    peer.write(b"\r\n")
    peer.close()


def late_message(peer: Peer) -> None:
    peer._sock.verify_client_post_handshake()
    peer._sock.do_handshake()


# -- How a kept connection was found --------------------------------------------------------------


@pytest.mark.parametrize(
    ("does", "cause"),
    [
        (closes, "server-closed"),
        (says_goodbye, "server-closed"),
        (resets, "server-reset"),
        (times_out, "timeout-408"),
        (strays, "stray-bytes"),
    ],
)
def test_how_a_kept_connection_ended_is_told(get, serve, watched, does, cause):
    script = Then(does, after=(1, 2))
    server = serve(script)
    script.asked(get, server.url, times=4)
    assert causes(watched) == {"first-use": 1, cause: 2}
    assert (watched.opened, watched.reused) == (server.accepted, 1) == (3, 1)


def test_a_tls_message_on_a_live_connection_is_told(get, watched, trusted, opened):
    script = Then(late_message)
    server = opened.enter_context(Server(script, tls=trusted.server))
    script.asked(get, server.url, times=3)
    assert causes(watched) == {"first-use": 1, "tls-message": 2}
    assert server.accepted == 3


@pytest.mark.parametrize("does", [closes, says_goodbye])
def test_an_end_after_more_idleness_than_others_survived_is_an_idle_timeout(
    get, serve, watched, clock, does
):
    script = Then(does, after=(2, 2, 9))
    server = serve(script)
    for idle in (0, 4, 6, 4, 7):
        clock.now += idle
        script.asked(get, server.url, times=1)
    assert causes(watched) == {"first-use": 1, "idle-timeout": 2}
    assert watched.opened == server.accepted == 3


def test_an_end_that_recurs_after_as_many_responses_is_a_request_limit(get, serve, watched, clock):
    script = Then(closes, after=(3,))
    server = serve(script)
    for _ in range(10):
        clock.now += 1.0
        script.asked(get, server.url, times=1)
    assert causes(watched) == {"first-use": 1, "request-limit": 3}
    assert watched.opened == server.accepted == 4


def test_an_idle_connection_that_a_tuned_session_replaces_is_an_idle_timeout(
    serve, watched, clock, trusted, monkeypatch
):
    monkeypatch.setattr("keptalive.clients.tuned.pools.time.monotonic", clock)
    server = serve(answers())
    with tuned_session(max_idle=5) as made:
        get = session_gets(made, trusted.bundle)
        for idle in (0, 4, 6, 4, 6):
            clock.now += idle
            get(server.url)
    assert causes(watched) == {"first-use": 1, "idle-timeout": 2}
    assert (watched.opened, watched.reused) == (server.accepted, 2) == (3, 2)


# -- What server and client said ------------------------------------------------------------------


def test_an_announced_close_is_told(get, serve, watched):
    server = serve(answers((200, "Connection: close")))
    for _ in range(3):
        get(server.url)
    assert causes(watched) == {"first-use": 1, "close-announced": 2}
    assert watched.opened == server.accepted


def obeys(peer: Peer) -> None:
    while asked := peer.asked():
        said = asked.headers.get("connection") == "close"
        peer.answer(200, *(["Connection: close"] if said else []))


def test_a_close_that_the_client_asked_for_is_told(get, serve, watched):
    server = serve(obeys)
    for _ in range(3):
        get(server.url, headers={"Connection": "close"})
    assert causes(watched) == {"first-use": 1, "close-requested": 2}
    assert watched.opened == server.accepted


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200 -\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 -\r\n\r\nok",
        b"HTTP/1.1 200 -\r\n\r\nok",
    ],
)
def test_http_1_0_and_a_body_without_framing_are_told(get, serve, watched, answer):
    def script(peer: Peer) -> None:
        assert peer.asked()
        peer.write(answer)
        says_goodbye(peer)

    server = serve(script)
    for _ in range(3):
        get(server.url)
    assert causes(watched) == {"first-use": 1, "http-1.0": 2}
    assert watched.opened == server.accepted


# -- What the program did -------------------------------------------------------------------------


def test_bare_requests_get_opens_a_new_session_each_time(serve, watched, trusted):
    server = serve(answers())
    for _ in range(3):
        requests.get(server.url, verify=trusted.bundle, timeout=PATIENCE_S)
    assert causes(watched) == {"first-use": 1, "new-session": 2}
    assert watched.opened == server.accepted


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_new_client_for_each_request_is_told(kind, serve, watched, trusted):
    server = serve(answers())
    for _ in range(3):
        made, gets = CLIENTS[kind](trusted.bundle)
        with made:
            gets(made, trusted.bundle)(server.url)
    assert causes(watched) == {"first-use": 1, "new-session": 2}
    assert watched.opened == server.accepted


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_client_that_was_closed_and_is_used_again_is_told(kind, serve, watched, trusted):
    server = serve(answers())
    made, gets = CLIENTS[kind](trusted.bundle)
    get = gets(made, trusted.bundle)
    for _ in range(3):
        get(server.url)
        made.__exit__(None, None, None)
    assert causes(watched) == {"first-use": 1, "session-closed": 2}
    assert watched.opened == server.accepted


@pytest.mark.parametrize("kind", ["Session", "PoolManager"])
def test_more_hosts_than_pools_evict_each_other(kind, serve, watched, trusted):
    servers = [serve(answers()) for _ in range(3)]
    if kind == "Session":
        made: Any = requests.Session()
        for prefix in ("http://", "https://"):
            made.mount(prefix, HTTPAdapter(pool_connections=2))
        get = session_gets(made, trusted.bundle)
    else:
        made = urllib3.PoolManager(num_pools=2, ca_certs=trusted.bundle)
        get = pools_get(made, "")
    with made:
        for server in servers * 3:
            get(server.url)
    assert causes(watched) == {"first-use": 3, "pool-evicted": 6}
    assert watched.opened == sum(server.accepted for server in servers) == 9


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
@pytest.mark.parametrize("make", [requests.Session, tuned_session])
def test_other_tls_settings_are_told(make, watched, trusted, opened):
    if make is requests.Session and REQUESTS < (2, 32):
        pytest.skip("before, requests used one pool for all settings")
    server = opened.enter_context(Server(tls=trusted.server))
    with make() as made:
        get = session_gets(made, trusted.bundle)
        for verify in (trusted.bundle, False, trusted.bundle, False):
            get(server.url, verify=verify)
    assert causes(watched) == {"first-use": 1, "tls-settings-differ": 1}
    assert (watched.opened, watched.reused) == (server.accepted, 2)


@pytest.mark.parametrize("make", [requests.Session, tuned_session])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_another_proxy_is_told_for_the_host_that_is_asked(
    make, scheme, watched, trusted, serve_plain
):
    script = tunnel(trusted.server, answers()) if scheme == "https" else answers()
    proxies = [serve_plain(script) for _ in range(2)]
    url = f"{scheme}://localhost:1/"
    with make() as made:
        get = session_gets(made, trusted.bundle)
        for proxy in [proxies[0], proxies[0], proxies[1], proxies[0]]:
            get(url, proxies={scheme: proxy.url})
        # One login more is one proxy more, and its password is no-one's business
        get(url, proxies={scheme: proxies[1].url.replace("//", "//me:secret@")})
    assert causes(watched) == {"first-use": 1, "proxy-differs": 2}
    assert [host["host"] for host in watched.report()["hosts"]] == [url.rstrip("/")]
    drafts = watched._recorder.drafts
    assert "secret" not in repr(drafts)
    assert sum(proxy.accepted for proxy in proxies) == 3


# -- How busy it was ------------------------------------------------------------------------------


def together(number: int) -> Script:
    """Answer each round of requests only when so many have been asked."""
    barrier = threading.Barrier(number)

    def script(peer: Peer) -> None:
        while peer.asked():
            barrier.wait(PATIENCE_S)
            peer.answer()

    return script


@pytest.mark.parametrize(("kept", "cause"), [(8, "concurrency"), (2, "pool-too-small")])
@pytest.mark.parametrize("kind", ["Session", "PoolManager"])
def test_threads_that_ask_at_once_are_told(kind, kept, cause, serve, watched, trusted, opened):
    server = serve(together(8))
    if kind == "Session":
        made: Any = opened.enter_context(requests.Session())
        for prefix in ("http://", "https://"):
            made.mount(prefix, HTTPAdapter(pool_maxsize=kept))
        get = session_gets(made, trusted.bundle)
    else:
        made = opened.enter_context(urllib3.PoolManager(maxsize=kept, ca_certs=trusted.bundle))
        get = pools_get(made, "")
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(get, [server.url] * 8))
        first = causes(watched)
        list(threads.map(get, [server.url] * 8))
    found = causes(watched)
    assert first["first-use"] == found["first-use"] == 1
    assert watched.opened == server.accepted == (8 if kept == 8 else 14)
    if kept == 8:
        assert found == {"first-use": 1, cause: 7}
    else:
        # whether the first one is kept, and then those kept or new ones, is the threads' affair
        assert set(found) <= {"first-use", "concurrency", cause}
        assert 5 <= first[cause] <= 6
        assert 9 <= found[cause] <= 12


# -- Bodies ---------------------------------------------------------------------------------------

LONG = b"x" * 300_000


def test_responses_that_are_never_read_keep_their_connections(get, serve, watched):
    server = serve(answers((200,)))
    held = [get(server.url, stream=True) for _ in range(3)]
    assert causes(watched) == {"first-use": 1, "unread-body": 2}
    assert watched.opened == server.accepted
    held.clear()
    get(server.url)
    assert causes(watched) == {"first-use": 1, "unread-body": 3}


def test_responses_that_are_read_in_the_end_do_not(get, serve, watched):
    server = serve(answers())
    for _ in range(3):
        response = get(server.url, stream=True)
        if isinstance(response, requests.Response):
            assert response.content == b"ok"
        else:
            assert response.read() == b"ok"
    assert causes(watched) == {"first-use": 1}
    assert watched.reused == 2


@pytest.mark.parametrize("make", [requests.Session, tuned_session])
def test_a_response_that_is_closed_before_it_was_read_is_told(make, serve, watched, trusted):
    def script(peer: Peer) -> None:
        while peer.asked():
            with suppress(OSError):
                peer.answer(body=LONG)

    server = serve(script)
    with make() as made:
        get = session_gets(made, trusted.bundle)
        for _ in range(2):
            with get(server.url, stream=True):
                pass
            response = get(server.url, stream=True)
            assert next(response.iter_content(10)) == LONG[:10]
            response.close()
        get(server.url)
    assert causes(watched) == {"first-use": 1, "abandoned-body": 4}
    assert watched.opened == server.accepted


# -- Failures -------------------------------------------------------------------------------------


def test_a_request_after_one_that_timed_out_is_told(get, serve, watched):
    server = serve(never_answers, answers())
    with pytest.raises((requests.Timeout, urllib3.exceptions.HTTPError)):
        get(server.url, timeout=0.05)
    # nothing has come of the first connection: this is the first use, as much as ever
    get(server.url)
    assert causes(watched) == {"first-use": 1}
    assert (watched.opened, server.accepted) == (1, 2)


def test_a_request_after_one_that_failed_on_a_kept_connection_is_told(get, serve, watched):
    def script(peer: Peer) -> None:
        assert peer.asked()
        peer.answer()
        assert peer.asked()
        assert peer.hears_the_end()

    server = serve(script, answers())
    get(server.url)
    with pytest.raises((requests.Timeout, urllib3.exceptions.HTTPError)):
        get(server.url, timeout=0.05)
    get(server.url)
    assert causes(watched) == {"first-use": 1, "failed-request": 1}
    assert watched.opened == server.accepted


def test_a_first_connection_that_fails_after_another_has_served_makes_no_pool_new(
    serve, watched, trusted
):
    asked, served = threading.Event(), threading.Event()

    def fails_late(peer: Peer) -> None:
        assert peer.asked()
        asked.set()
        assert served.wait(PATIENCE_S)

    server = serve(fails_late, answers((200, "Connection: close")))
    made, gets = CLIENTS["Session"](trusted.bundle)
    with made, ThreadPoolExecutor(1) as other:
        get = gets(made, trusted.bundle)
        first = other.submit(get, server.url)
        assert asked.wait(PATIENCE_S)
        get(server.url)
        served.set()
        with pytest.raises(requests.ConnectionError):
            first.result(PATIENCE_S)
        get(server.url)
    assert causes(watched) == {"concurrency": 1, "failed-request": 1}


@pytest.mark.skipif(URLLIB3_1, reason="urllib3 1.26 takes a body that breaks off for a whole one")
@pytest.mark.parametrize("make", [requests.Session, tuned_session])
def test_a_body_that_broke_off_is_a_failed_request(make, serve, watched, trusted):
    def breaks_off(peer: Peer) -> None:
        assert peer.asked()
        peer.write(b"HTTP/1.1 200 -\r\nContent-Length: 9\r\n\r\nok")

    server = serve(breaks_off, answers())
    with make() as made:
        get = session_gets(made, trusted.bundle)
        with pytest.raises(requests.RequestException):
            get(server.url)
        get(server.url)
    assert causes(watched) == {"first-use": 1, "failed-request": 1}
    assert watched.opened == server.accepted


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_request_that_is_sent_again_is_told(kind, serve, watched, trusted):
    def hangs_up(peer: Peer) -> None:
        if peer.asked():
            peer.answer()
            peer.asked()

    server = serve(hangs_up)
    if kind == "PoolManager":
        made: Any = urllib3.PoolManager(ca_certs=trusted.bundle, retries=RETRIES)
        get: Get = lambda url: made.request("GET", url, timeout=PATIENCE_S)  # noqa: E731
    else:
        made = CLIENTS[kind](trusted.bundle)[0]
        if kind == "Session":
            for prefix in ("http://", "https://"):
                made.mount(prefix, HTTPAdapter(max_retries=RETRIES))
        get = session_gets(made, trusted.bundle)
    with made:
        for _ in range(3):
            get(server.url)
    assert causes(watched) == {"first-use": 1, "retry": 2}
    assert watched.opened == server.accepted == 3


@pytest.mark.parametrize("make", [requests.Session, tuned_session])
def test_a_tunnel_that_was_refused_leaves_no_false_trace(make, watched, trusted, serve_plain):
    proxy = serve_plain(answers((502,)), tunnel(trusted.server, answers()))
    with make() as made:
        get = session_gets(made, trusted.bundle)
        with pytest.raises(requests.RequestException):
            get("https://localhost:1/", proxies={"https": proxy.url})
        for _ in range(2):
            get("https://localhost:1/", proxies={"https": proxy.url})
    assert causes(watched) == {"first-use": 1}
    assert watched.reused == 1


# -- Redirects ------------------------------------------------------------------------------------


def test_a_redirect_to_another_host_is_told(get, serve, watched):
    target = serve(answers())
    first = serve(answers((302, f"Location: {target.url}"), (200,)))
    get(first.url)
    assert causes(watched) == {"first-use": 1, "redirect": 1}
    assert sum(host["requests"] for host in watched.report()["hosts"]) == 1
    get(target.url)
    assert causes(watched) == {"first-use": 1, "redirect": 1}


# -- The look-alike -------------------------------------------------------------------------------

LIMIT, IDLE = 3, 60
SCENARIOS = [
    "keep-alive",
    "close-announced",
    "http-1.0",
    f"request-limit={LIMIT}",
    f"request-limit-announced={LIMIT}",
    f"idle-timeout={IDLE}",
    f"idle-reset={IDLE}",
    f"timeout-408={IDLE}",
    "stray-bytes=1",
    "stale=1",
]


@pytest.fixture(scope="module")
def lookalike() -> Iterator[Lookalike]:
    with Lookalike.start(SCENARIOS) as running:
        yield running


@pytest.fixture
def user(lookalike: Lookalike, clock: Clock) -> Callable[..., Any]:
    """Ask a scenario with a client, some seconds after the last time."""

    def ask(get: Get, scenario: str, *, after: float = 0) -> None:
        clock.now += after
        lookalike.skip(scenario, seconds=after)
        get(
            f"{lookalike.url(scenario)}/user", headers={"Authorization": f"token {lookalike.token}"}
        )

    return ask


@pytest.fixture(params=["Session", "tuned_session", "PoolManager"])
def get_there(
    request: pytest.FixtureRequest, lookalike: Lookalike, opened: ExitStack, watched: Watch
) -> Get:
    bundle = str(lookalike.ca_bundle)
    if request.param == "tuned_session":
        return session_gets(opened.enter_context(tuned_session(max_idle=None)), bundle)
    made, gets = CLIENTS[request.param](bundle)
    return gets(opened.enter_context(made), bundle)


@pytest.mark.parametrize(
    ("scenario", "idle", "expected"),
    [
        ("keep-alive", [0] * 6, {}),
        ("close-announced", [0] * 6, {"close-announced": 5}),
        ("http-1.0", [0] * 6, {"http-1.0": 5}),
        (f"request-limit={LIMIT}", [0] * 9, {"request-limit": 2}),
        (f"request-limit={LIMIT}", [7] * 9, {"request-limit": 2}),
        (f"request-limit-announced={LIMIT}", [0] * 9, {"close-announced": 2}),
        (f"idle-timeout={IDLE}", [0, 50, 70, 50, 70, 70], {"idle-timeout": 3}),
        (f"idle-reset={IDLE}", [0, 50, 70, 50, 70, 70], {"server-reset": 3}),
        (f"timeout-408={IDLE}", [0, 50, 70, 50, 70, 70], {"timeout-408": 3}),
        ("stray-bytes=1", [0] * 6, {"stray-bytes": 5}),
    ],
)
def test_a_scenario_is_named_by_its_cause(
    user, get_there, lookalike, watched, scenario, idle, expected
):
    before = lookalike.accepted(scenario)
    for seconds in idle:
        user(get_there, scenario, after=seconds)
    assert causes(watched) == {"first-use": 1, **expected}
    assert watched.opened == lookalike.accepted(scenario) - before


def test_stale_connections_are_sent_again_on_new_ones(user, lookalike, watched):
    before = lookalike.accepted("stale=1")
    with tuned_session() as made:
        for _ in range(4):
            user(session_gets(made, str(lookalike.ca_bundle)), "stale=1")
    assert causes(watched) == {"first-use": 1, "retry": 3}
    assert watched.opened == lookalike.accepted("stale=1") - before


@pytest.mark.parametrize("kind", CLIENTS)
def test_eight_threads_over_all_scenarios_leave_no_connection_unexplained(
    kind, user, lookalike, watched
):
    retrying = {"retries": RETRIES} if kind == "PoolManager" else {}
    before = {name: lookalike.accepted(name) for name in SCENARIOS}
    made, gets = CLIENTS[kind](str(lookalike.ca_bundle))
    if kind == "Session":
        made.mount("https://", HTTPAdapter(max_retries=RETRIES, pool_maxsize=4))
    get = gets(made, str(lookalike.ca_bundle))

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(25):
            url = f"{lookalike.url(chance.choice(SCENARIOS))}/user"
            get(url, headers={"Authorization": f"token {lookalike.token}"}, **retrying)

    with made, ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    found = causes(watched)
    accepted = {name: lookalike.accepted(name) - before[name] for name in SCENARIOS}
    assert sum(found.values()) == watched.opened == sum(accepted.values())
    assert found.get("unknown", 0) == 0
    assert found["first-use"] == len(SCENARIOS)
    hosts = {host["host"]: host["opened"] for host in watched.report()["hosts"]}
    assert hosts == {lookalike.url(name): accepted[name] for name in SCENARIOS}


def test_a_place_in_the_program_is_told_for_new_sessions(serve_plain, watched):
    server = serve_plain(answers())
    for _ in range(2):
        requests.get(server.url, timeout=PATIENCE_S)
    [host] = watched.report()["hosts"]
    [evidence] = [c["evidence"] for c in host["causes"] if c["cause"] == "new-session"]
    assert Path(__file__).name in evidence
