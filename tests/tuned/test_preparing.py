"""A tuned Session prepares requests, and builds responses, as requests does."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from http.cookiejar import CookieJar
from typing import Any
from unittest import mock

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar, cookiejar_from_dict
from requests.structures import CaseInsensitiveDict
from tests.servers.peer import Peer, answers
from tests.servers.scripted import Server
from tests.tuned.environment import environment

from keptalive import tuned_session
from keptalive.tuned.preparing import HEADERS_KEPT


@pytest.fixture(autouse=True, scope="module")
def _nothing_from_the_environment() -> Iterator[None]:
    with environment(NETRC="/nonexistent"):
        yield


class OwnHeaders(CaseInsensitiveDict):  # type: ignore[type-arg]
    """As some libraries have them: every name is also there with a prefix."""

    def __getitem__(self, key: str) -> Any:
        return f"own {super().__getitem__(key)}"


class Stamp(requests.auth.AuthBase):
    """A login that depends on the prepared request."""

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        body = r.body if isinstance(r.body, str | bytes) else type(r.body)
        r.headers["X-Signed"] = f"{r.method} {r.url} {sorted(r.headers)} {body!r}"
        return r


def hook(response: requests.Response, **_: Any) -> None:
    """A hook."""


def jar(**cookies: str) -> RequestsCookieJar:
    return cookiejar_from_dict(cookies)  # type: ignore[return-value]


def foreign_jar() -> CookieJar:
    plain = CookieJar()
    for cookie in jar(foreign="1"):
        plain.set_cookie(cookie)
    return plain


HEADERS: list[Callable[[], Any]] = [
    lambda: None,
    dict,
    lambda: {"X-Own": "1", "accept": "text/html"},
    lambda: {"Accept": None, "USER-AGENT": None},
    lambda: {"X-Bytes": b"1", b"X-Name": "2"},
    lambda: {"X-Number": 1},
    lambda: {"X-List": ["a"]},
    lambda: {" X-Space": "a"},
    lambda: {"X-Break": "a\r\nb: c"},
    lambda: CaseInsensitiveDict({"X-Own": "1", "x-own": "2"}),
    lambda: OwnHeaders({"X-Own": "1"}),
    lambda: types.MappingProxyType({"X-Own": "1"}),
    lambda: {"Cookie": "given=1", "Content-Length": "7", "Authorization": "own"},
]
PARAMS: list[Callable[[], Any]] = [
    lambda: None,
    dict,
    lambda: {"q": "ä b", "page": 2, "none": None, "list": [1, 2]},
    lambda: [("q", "1"), ("q", "2")],
    lambda: "q=1",
    lambda: b"q=1",
    lambda: "",
]
COOKIES: list[Callable[[], Any]] = [
    lambda: None,
    dict,
    lambda: {"given": "1", "both": "request"},
    lambda: jar(given="1", both="request"),
    RequestsCookieJar,
    foreign_jar,
]
BODIES: list[Callable[[], dict[str, Any]]] = [
    dict,
    lambda: {"data": {"a": ["1", "2"]}},
    lambda: {"data": {}},
    lambda: {"data": b""},
    lambda: {"data": "text"},
    lambda: {"json": {"a": "ä"}},
    lambda: {"json": []},
    lambda: {"json": {}, "data": {"a": "b"}},
    lambda: {"json": float("nan")},
    lambda: {"data": iter([])},
    lambda: {"data": 0},
    lambda: {"files": {}},
    lambda: {"data": iter([b"a"]), "files": {"a": "b"}},
]
AUTH: list[Callable[[], Any]] = [
    lambda: None,
    lambda: ("anna", "secret"),
    tuple,
    Stamp,
    lambda: "no login",
]
HOOKS: list[Callable[[], Any]] = [
    lambda: None,
    dict,
    lambda: {"response": hook},
    lambda: {"response": [hook, hook]},
    lambda: {"response": []},
]
URLS = [
    "http://host.test",
    "https://host.test/a b?c=d e#f",
    " http://HOST.test:80/../a/%7e%zz",
    "http://anna:p%40ss@host.test/",
    "http://bücher.test/ü?ü=ü",
    "http://[::1]:8080/@",
    "//host.test/",
    "data:text/plain,@",
]
METHODS = ["GET", "get", "HEAD", "Post", "DELETE", "x-ü"]


def outcome(session: requests.Session, arguments: dict[str, Any]) -> Any:
    """What becomes of this request, as something that can be compared."""
    try:
        prepared = session.prepare_request(requests.Request(**arguments))
    except Exception as error:  # noqa: BLE001 - it is compared
        return type(error), str(error)
    assert type(prepared) is requests.PreparedRequest
    said = vars(prepared).copy()
    cookies, headers, body = said.pop("_cookies"), said.pop("headers"), said.pop("body")
    is_text = body is None or isinstance(body, str | bytes)
    return (
        {name: value for name, value in said.items() if name != "_body_position"},
        (type(headers), list(headers.items()), list(headers._store)),
        (type(cookies), sorted((cookie.name, cookie.value) for cookie in cookies)),
        body if is_text else type(body),
        list(vars(prepared)),
    )


CHOICES = st.fixed_dictionaries(
    {
        "method": st.sampled_from(METHODS),
        "url": st.sampled_from(URLS),
        "headers": st.sampled_from(HEADERS),
        "params": st.sampled_from(PARAMS),
        "cookies": st.sampled_from(COOKIES),
        "body": st.sampled_from(BODIES),
        "auth": st.sampled_from(AUTH),
        "hooks": st.sampled_from(HOOKS),
    }
)
OF_SESSION = st.fixed_dictionaries(
    {},
    optional={
        "headers": st.sampled_from(HEADERS),
        "params": st.sampled_from(PARAMS[:3]),
        "cookies": st.sampled_from([lambda: jar(both="session", own="1"), *COOKIES[1:]]),
        "auth": st.sampled_from(AUTH),
        "hooks": st.sampled_from([HOOKS[3], lambda: {"response": []}]),
        "trust_env": st.sampled_from([lambda: False]),
    },
)


def arguments_of(choice: dict[str, Any]) -> dict[str, Any]:
    """New arguments for each call: what one library does to them must not reach the other."""
    made = {name: value() if callable(value) else value for name, value in choice.items()}
    body: dict[str, Any] = made.pop("body")
    return made | body


@settings(max_examples=500)
@given(of_session=OF_SESSION, choices=st.lists(CHOICES, min_size=1, max_size=4))
def test_any_request_is_prepared_or_refused_as_by_requests(
    of_session: dict[str, Any], choices: list[dict[str, Any]]
) -> None:
    plain, tuned = requests.Session(), tuned_session()
    for name, made in of_session.items():
        for session in (plain, tuned):
            setattr(session, name, made())
    for choice in [*choices, *choices]:  # what is prepared again comes from the one before
        expected = outcome(plain, arguments_of(choice))
        assert outcome(tuned, arguments_of(choice)) == expected


def test_headers_of_the_session_may_change_between_requests() -> None:
    with tuned_session() as session:
        seen = []
        for value in ("a", "b", "a"):
            session.headers["X-Own"] = value
            request = requests.Request("GET", "http://host.test/")
            seen.append(session.prepare_request(request).headers["x-own"])
        del session.headers["X-Own"]
        assert "x-own" not in session.prepare_request(request).headers
    assert seen == ["a", "b", "a"]


def test_what_is_done_to_a_prepared_request_stays_with_it() -> None:
    with tuned_session() as session:
        first = session.prepare_request(requests.Request("GET", "http://host.test/"))
        first.headers["X-Later"] = "1"
        first.prepare_cookies({"a": "b"})
        assert first._cookies is not None
        second = session.prepare_request(requests.Request("GET", "http://host.test/"))
        assert "X-Later" not in second.headers
        assert "Cookie" not in second.headers
        assert list(second._cookies or ()) == []


def test_not_all_headers_are_kept_for_good() -> None:
    with tuned_session() as session:
        for number in range(3 * HEADERS_KEPT):
            headers = {"X-Number": str(number)}
            session.prepare_request(requests.Request("GET", "http://host.test/", headers))
        assert len(session._preparer._headers) <= HEADERS_KEPT
        session.close()
        assert session._preparer._headers == {}


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (requests.Session, "prepare_request"),
        (requests.PreparedRequest, "prepare"),
        (requests.PreparedRequest, "prepare_headers"),
        (requests.PreparedRequest, "prepare_url"),
        (HTTPAdapter, "build_response"),
        (HTTPAdapter, "send"),
        (requests.Session, "send"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_method_that_a_tracing_library_has_replaced_is_called(owner: type, name: str) -> None:
    with Server(answers()) as server, tuned_session() as session:
        session.get(server.url)
        with mock.patch.object(owner, name, autospec=True, side_effect=getattr(owner, name)) as new:
            assert session.get(server.url).text == "ok"
        assert new.call_count == 1
        assert session.get(server.url).text == "ok"
        assert new.call_count == 1


# Responses

RESPONSES = {
    "usual": b"Content-Type: application/json; charset=utf-16\r\n",
    "two of a name": b"Link: <a>\r\nX-Other: 1\r\nlink: <b>\r\nLINK: <c>\r\n",
    "cookies": b"Set-Cookie: a=b; Path=/\r\nSet-Cookie: c=d; HttpOnly\r\n",
    "an old cookie": b'Set-Cookie2: a="b"; Version="1"\r\n',
    "text without a charset": b"Content-Type: text/plain\r\n",
    "nothing": b"",
    "latin": b"X-Name: caf\xe9 \t\r\n",
}


def said_of(response: requests.Response) -> dict[str, Any]:
    said = {
        name: getattr(response, name)
        for name in ("status_code", "reason", "encoding", "url", "content", "history", "ok")
    }
    return said | {
        "type": type(response),
        "attributes": sorted(vars(response)),
        "headers": (type(response.headers), list(response.headers.items())),
        "store": list(response.headers._store.items()),
        "cookies": [(cookie.name, cookie.value, cookie.path) for cookie in response.cookies],
    }


@pytest.mark.parametrize("name", RESPONSES)
def test_a_response_says_the_same_as_from_requests(name: str) -> None:
    def script(peer: Peer) -> None:
        while peer.request():
            peer.sock.sendall(
                b"HTTP/1.1 200 Fine\r\n" + RESPONSES[name] + b"Content-Length: 2\r\n\r\nok"
            )

    with Server(script) as server, requests.Session() as plain, tuned_session() as tuned:
        for _ in range(2):
            expected, found = (session.get(server.url) for session in (plain, tuned))
            assert said_of(found) == said_of(expected)
            assert found.request.headers.items() == expected.request.headers.items()
            assert found.connection is tuned.get_adapter(server.url)
        assert plain.cookies.items() == tuned.cookies.items()
