"""The environment is asked once for each origin, and says what it says to requests."""

from __future__ import annotations

import copy
import netrc
import os
import pickle
import threading
from pathlib import Path
from typing import Any

import pytest
import requests
import requests.utils
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.servers.peer import answers
from tests.servers.scripted import Server
from tests.tuned.environment import environment

from keptalive import tuned_session
from keptalive.tuned import TunedSession
from keptalive.tuned.session import ORIGINS_KEPT, _Environment

LOGINS = """\
machine example.test login anna password secret
machine 10.1.2.3 login ip password of-ip
machine ::1 login six password of-six
machine host.test login "" password only-password
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("netrc")
    (folder / "some").write_text(LOGINS)
    (folder / "all").write_text(f"{LOGINS}default login anybody password at-all\n")
    (folder / "broken").write_text("machine\nthis is none\n")
    (folder / "home").mkdir()
    (folder / "home" / ".netrc").write_text("machine example.test login home password sweet\n")
    return folder


# As requests says it

PROXY = st.sampled_from(
    ["http://one:3128", "http://user:pw@two:3128", "https://three:443", "four:80", ""]
)
ENVIRONMENTS = st.fixed_dictionaries(
    {},
    optional={
        **{
            name: PROXY
            for stem in ("http_proxy", "https_proxy", "all_proxy")
            for name in (stem, stem.upper())
        },
        **dict.fromkeys(
            ("no_proxy", "NO_PROXY"),
            st.sampled_from(
                [
                    "",
                    "*",
                    "example.test",
                    ".example.test",
                    "example.test:8080",
                    "10.0.0.0/8",
                    "10.1.2.3, host.test",
                    "other.test,::1",
                ]
            ),
        ),
        **dict.fromkeys(
            ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"), st.sampled_from(["", "/a.pem", "/b.pem"])
        ),
        "NETRC": st.sampled_from(["some", "all", "broken", "missing"]),
        "HOME": st.sampled_from(["home", "elsewhere"]),
    },
)
URLS = st.sampled_from(
    [
        "http://example.test/",
        "https://example.test/path/of/it?query=/a/b#fragment",
        "HTTPS://Example.Test",
        "http://sub.example.test:8080/a",
        "http://example.test:8080/a",
        "https://user:pw@example.test/",
        "https://user@host.test/",
        "https://:pw@host.test/",
        "http://host.test?a/b",
        "http://10.1.2.3/x",
        "https://10.1.2.3:444/",
        "http://[::1]:81/x",
        "http://other.test//double//slash",
        "  http://example.test/leading",
        "http://ex\u00e4mple.test/\u00fc",
    ]
)
VERIFY = st.sampled_from([None, True, False, "/own.pem", ""])
CERT = st.sampled_from([None, "/cert.pem", ("/cert.pem", "/key.pem")])
PROXIES = st.fixed_dictionaries(
    {},
    optional={
        "http": st.sampled_from(["http://own:1", None, ""]),
        "https": st.sampled_from(["http://own:2", None]),
        "all": st.just("http://own:3"),
        "http://example.test": st.just("http://own:4"),
        "no_proxy": st.sampled_from(["example.test", "", None]),
    },
)
AUTH = st.sampled_from([None, ("me", "mine"), ("", ""), (), "", False])
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "trust_env": st.booleans(),
        "proxies": PROXIES,
        "verify": VERIFY,
        "cert": CERT,
        "stream": st.booleans(),
        "auth": AUTH,
        "params": st.just({"session": "1"}),
        "headers": st.just({"X-Session": "1", "Authorization": "of the session"}),
    },
)


def given_environment(variables: dict[str, str], folder: Path) -> Any:
    named = {
        name: str(folder / value) if name in ("NETRC", "HOME") else value
        for name, value in variables.items()
    }
    return environment(**{"HOME": str(folder / "elsewhere"), **named})


def with_settings(session: requests.Session, chosen: dict[str, Any]) -> requests.Session:
    for name, value in chosen.items():
        setattr(session, name, copy.copy(value))
    return session


def outcome(work: Any, *args: Any) -> Any:
    try:
        return work(*args)
    except Exception as error:  # noqa: BLE001 - the same one, whatever it is
        return type(error), str(error)


def merged(session: requests.Session, *args: Any) -> Any:
    found = outcome(lambda: session.merge_environment_settings(*copy.deepcopy(args)))
    return {**found, "proxies": dict(found["proxies"])} if isinstance(found, dict) else found


def prepared(session: requests.Session, **of_request: Any) -> Any:
    found = outcome(lambda: session.prepare_request(requests.Request(**of_request)))
    if not isinstance(found, requests.PreparedRequest):
        return found
    return {**vars(found), "headers": dict(found.headers), "_cookies": dict(found._cookies)}


@settings(max_examples=150)
@given(
    variables=ENVIRONMENTS,
    url=URLS,
    proxies=PROXIES,
    stream=st.sampled_from([None, True, False]),
    verify=VERIFY,
    cert=CERT,
    chosen=SETTINGS,
)
def test_settings_are_those_of_requests(
    folder: Path,
    variables: dict[str, str],
    url: str,
    proxies: dict[str, Any],
    stream: bool | None,
    verify: Any,
    cert: Any,
    chosen: dict[str, Any],
) -> None:
    asked = url.strip(), proxies, stream, verify, cert
    with given_environment(variables, folder):
        plain = with_settings(requests.Session(), chosen)
        tuned = with_settings(tuned_session(), chosen)
        for _ in range(2):
            assert merged(plain, *asked) == merged(tuned, *asked)


@settings(max_examples=150)
@given(variables=ENVIRONMENTS, url=URLS, auth=AUTH, chosen=SETTINGS)
@example(variables={}, url="http://me:pw@host.test/", auth="", chosen={})
@example(variables={}, url="http://me:pw@host.test/", auth=None, chosen={"auth": ()})
@example(variables={"NETRC": "some"}, url="http://example.test/", auth=(), chosen={})
def test_requests_are_prepared_as_by_requests(
    folder: Path, variables: dict[str, str], url: str, auth: Any, chosen: dict[str, Any]
) -> None:
    with given_environment(variables, folder):
        plain = with_settings(requests.Session(), chosen)
        tuned = with_settings(tuned_session(), chosen)
        for _ in range(2):
            for settings_ in (
                {"params": {"q": "1"}, "headers": {"X-Own": "2", "X-Session": None}},
                {"data": {"a": "b"}, "cookies": {"c": "d"}},
                {"json": [1]},
            ):
                asked = {"method": "put", "url": url, "auth": auth, **settings_}
                assert prepared(plain, **asked) == prepared(tuned, **asked)


class Address:
    """An object that is its URL as text: pathlib-like URL libraries have such."""

    def __repr__(self) -> str:
        return "Address()"

    def __str__(self) -> str:
        return "http://example.test/path"


@pytest.mark.parametrize(
    "url",
    [
        b"http://example.test/path",
        Address(),
        None,
        "",
        "example.test/path",
        "http://",
        "http:///path",
        "http://[::1",
        "http://example.test:port/",
        "http://example.test:99999/",
        "http://*.test/",
        "http://.test/",
        "mailto:somebody@example.test",
        "data:text/plain,hello",
    ],
    ids=repr,
)
@pytest.mark.parametrize("netrc_file", ["some", "missing"])
def test_odd_urls_are_prepared_or_refused_as_by_requests(
    url: Any, netrc_file: str, folder: Path
) -> None:
    with given_environment({"NETRC": netrc_file}, folder):
        plain, tuned = requests.Session(), tuned_session()
        for _ in range(2):
            expected = prepared(plain, method="GET", url=url)
            assert expected == prepared(tuned, method="GET", url=url)


def test_the_dictionary_of_the_caller_stays_as_it_is() -> None:
    with environment(HTTP_PROXY="http://one:3128"), tuned_session() as session:
        own = {"https": "http://own:1"}
        found = session.merge_environment_settings("http://host.test/", own, None, None, None)
        assert dict(found["proxies"]) == {"http": "http://one:3128", "https": "http://own:1"}
        assert own == {"https": "http://own:1"}


def test_what_a_caller_does_to_the_answer_does_not_change_the_next_one() -> None:
    with environment(HTTP_PROXY="http://one:3128"), tuned_session() as session:
        for _ in range(2):
            asked = "http://host.test/", {}, None, None, None
            found = session.merge_environment_settings(*asked)["proxies"]
            assert dict(found) == {"http": "http://one:3128"}
            found.clear()


def test_none_is_as_good_as_no_proxies() -> None:
    with environment(), tuned_session() as session, requests.Session() as plain:
        asked = "http://host.test/", None, None, None, None
        plainly = plain.merge_environment_settings(*asked)
        found = session.merge_environment_settings(*asked)
        assert dict(plainly["proxies"] or {}) == dict(found["proxies"])


# Once


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often requests' own functions looked into the environment, and into ~/.netrc."""
    counts = {"proxies": 0, "netrc": 0}
    bypass, read = requests.utils.should_bypass_proxies, netrc.netrc

    def counted_bypass(*args: Any, **kwargs: Any) -> bool:
        counts["proxies"] += 1
        return bypass(*args, **kwargs)

    def counted_read(*args: Any) -> netrc.netrc:
        counts["netrc"] += 1
        return read(*args)

    monkeypatch.setattr(requests.utils, "should_bypass_proxies", counted_bypass)
    monkeypatch.setattr(netrc, "netrc", counted_read)
    return counts


def test_the_environment_is_asked_once_for_each_origin(
    folder: Path, looked_up: dict[str, int]
) -> None:
    with given_environment({"NETRC": "some"}, folder), Server() as one, Server() as other:
        with tuned_session() as session:
            for round_ in range(5):
                session.get(f"{one.url}{round_}?q={round_}")
                session.post(f"{other.url}a/b/{round_}")
            assert looked_up == {"proxies": 2, "netrc": 2}
        looked_up.update(proxies=0, netrc=0)
        with requests.Session() as plain:
            for _ in range(5):
                plain.get(one.url)
        assert looked_up == {"proxies": 5, "netrc": 5}


def test_the_environment_is_not_asked_where_it_has_no_say(
    folder: Path, looked_up: dict[str, int]
) -> None:
    with given_environment({"NETRC": "some"}, folder), Server() as server:
        with tuned_session() as session:
            session.trust_env = False
            session.get(server.url)
            assert looked_up == {"proxies": 0, "netrc": 0}
            session.trust_env = True
            session.get(server.url, auth=("me", "mine"))
            assert looked_up == {"proxies": 1, "netrc": 0}
            session.auth = ("me", "mine")
            session.get(server.url)
            assert looked_up == {"proxies": 1, "netrc": 0}


@pytest.fixture
def netrc_of_server(tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "netrc"
    path.write_text("machine 127.0.0.1 login anna password secret\n")
    return {"NETRC": str(path)}


ANNA = "Basic YW5uYTpzZWNyZXQ="


def authorizations(server: Server) -> list[str | None]:
    return [request.headers.get("authorization") for request in server.requests]


def test_trust_in_the_environment_may_be_taken_back_and_given_again(
    netrc_of_server: dict[str, str],
) -> None:
    with environment(**netrc_of_server), Server() as server, tuned_session() as session:
        for trusted in (True, False, True):
            session.trust_env = trusted
            session.get(server.url)
        assert authorizations(server) == [ANNA, None, ANNA]


def test_a_change_is_seen_after_close(netrc_of_server: dict[str, str]) -> None:
    with Server() as server, tuned_session() as session:
        with environment():
            session.get(server.url)
        with environment(**netrc_of_server, REQUESTS_CA_BUNDLE="/new.pem"):
            session.get(server.url)
            assert authorizations(server) == [None, None]
            session.close()
            session.get(server.url)
            assert authorizations(server) == [None, None, ANNA]
            settings_ = session.merge_environment_settings(server.url, {}, None, None, None)
            assert settings_["verify"] == "/new.pem"


def test_two_sessions_share_nothing(netrc_of_server: dict[str, str]) -> None:
    with Server() as server, tuned_session() as early, tuned_session() as late:
        with environment():
            early.get(server.url)
        with environment(**netrc_of_server):
            late.get(server.url)
            early.get(server.url)
        assert authorizations(server) == [None, ANNA, None]
        assert server.accepted == 2


def test_an_unpickled_session_asks_for_itself(netrc_of_server: dict[str, str]) -> None:
    with Server() as server, tuned_session() as session:
        with environment():
            session.get(server.url)
        with environment(**netrc_of_server), pickle.loads(pickle.dumps(session)) as again:
            again.get(server.url)
        assert authorizations(server) == [None, ANNA]


def test_what_the_environment_says_is_done() -> None:
    with Server() as proxy, Server() as server, environment(HTTP_PROXY=proxy.url):
        with tuned_session() as session:
            session.get("http://target.test/a")
            session.get("http://target.test/b", proxies={"http": server.url})
            session.get(server.url + "c", proxies={"no_proxy": "127.0.0.1"})
    assert proxy.targets == ["http://target.test/a"]
    assert server.targets == ["http://target.test/b", "/c"]


def test_a_redirect_hears_the_environment_too(netrc_of_server: dict[str, str]) -> None:
    with Server() as target, environment(**netrc_of_server):
        with Server(answers((302, f"Location: {target.url}"))) as server:
            with tuned_session() as session:
                session.get(server.url, auth=("me", "mine"))
        assert authorizations(target) == [ANNA]


def test_closing_while_another_thread_asks_breaks_nothing() -> None:
    class ClosedMeanwhile(TunedSession):
        # Another thread closes as soon as this one has made its view of the environment
        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value)
            if isinstance(value, _Environment):
                closing = threading.Thread(target=self.close)
                closing.start()
                closing.join()

    session = ClosedMeanwhile()
    found = session.merge_environment_settings("http://host.test/", {}, None, None, None)
    assert dict(found["proxies"]) == {}


def test_not_every_origin_is_kept_for_good() -> None:
    with environment(), tuned_session() as session:
        for number in range(ORIGINS_KEPT + 10):
            session.merge_environment_settings(f"http://h{number}.test/", {}, None, None, None)
        assert session._cached_environment().proxies.cache_info().currsize == ORIGINS_KEPT


def test_the_neutral_environment_of_these_tests_is_neutral() -> None:
    with environment():
        assert requests.utils.get_environ_proxies("http://host.test/") == {}
        assert os.environ.get("NETRC") is None
