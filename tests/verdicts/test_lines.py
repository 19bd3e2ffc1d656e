"""A report names the program's own lines, the library in between, and what to change in that."""

from __future__ import annotations

import importlib
import re
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter
from tests.servers.peer import Peer, answers
from tests.servers.scripted import PATIENCE_S

from keptalive.watching.api import Watch, watch

HERE = Path(__file__).relative_to(Path.cwd())  # as the tests are run, from the root
# Stand-ins for packages from an index; the name of a known one is enough for its words
PACKAGES = {
    "spotipy/client.py": """\
        import requests
        class Spotify:
            def __init__(self, requests_session=True):
                given = isinstance(requests_session, requests.Session)
                self._session = requests_session if given else requests.Session()
                if not requests_session:
                    self._session = requests.api
            def search(self, url):
                return self._session.get(url, timeout=9)
    """,
    "kubernetes/client/rest.py": """\
        import urllib3
        class RESTClientObject:
            def __init__(self, maxsize):
                self.pool_manager = urllib3.PoolManager(maxsize=maxsize)
            def request(self, url):
                return self.pool_manager.request("GET", url, timeout=9, retries=False)
    """,
    "shop.py": """\
        import threading, requests
        def buy(url):
            return requests.get(url, timeout=9)
        def buy_in_background(url):
            thread = threading.Thread(target=_run, args=(url,))
            thread.start()
            thread.join()
        def _run(url):
            buy(url)
        namespace = {"__name__": "shop", "__file__": __file__, "buy": buy}
        exec(compile("def generated(url):\\n    buy(url)", "<attrs generated>", "exec"), namespace)
        generated = namespace["generated"]
    """,
    "opentelemetry/instrument.py": """\
        def traced(function, *args):
            return function(*args)
    """,
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Import a module of these packages, as installed in a ``site-packages`` of its own."""
    folder = tmp_path / "site-packages"
    for name, text in PACKAGES.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        for parent in list(Path(name).parents)[:-1]:
            (folder / parent / "__init__.py").touch()
        file.write_text("\n".join(line[8:] for line in text.splitlines()))
    monkeypatch.syspath_prepend(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] in _TOP]:
        monkeypatch.delitem(sys.modules, name)
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in _TOP:
            del sys.modules[name]


_TOP = {name.partition("/")[0].removesuffix(".py") for name in PACKAGES}


def line() -> int:
    """The line that calls this."""
    return sys._getframe(1).f_lineno


def cause(watched: Watch, name: str) -> dict[str, Any]:
    [found] = [
        one for host in watched.report()["hosts"] for one in host["causes"] if one["cause"] == name
    ]
    return found


def test_a_session_that_a_library_makes_is_the_line_of_the_program_that_called_it(serve, package):
    client = package("spotipy.client")
    server = serve(answers())

    def visit(**settings: Any) -> None:
        client.Spotify(**settings).search(server.url)

    with watch() as watched:
        for _ in range(4):
            visit()
        for _ in range(2):
            visit(requests_session=False)
    at = f"{HERE}:{line() - 7}"
    found = cause(watched, "new-session")
    assert found["count"] == 5
    assert found["evidence"] == (f"Sessions made at {at}, through spotipy/client.py:5 (3), :9 (2).")
    assert found["cure"] == (
        "Make one spotipy.Spotify and keep it; or give each the same Session: "
        "Spotify(requests_session=session)."
    )
    assert found["facts"]["through"] == {"spotipy": 5}
    [*_, one] = watched.report()["connections"]
    assert (one["where"], one["through"]) == (at, "spotipy/client.py:9")


def test_lines_of_one_file_are_named_with_the_file_once_and_with_how_often_each(serve):
    server = serve(answers())
    with watch() as watched:
        requests.get(server.url, timeout=PATIENCE_S)
        for _ in range(3):
            requests.get(server.url, timeout=PATIENCE_S)
        requests.get(server.url, timeout=PATIENCE_S)
    often, once = line() - 2, line() - 1
    assert cause(watched, "new-session")["evidence"] == (
        f"Sessions made at {HERE}:{often} (3), :{once} (1)."
    )


def test_where_a_thread_runs_the_sessions_get_the_session_is_named_by_where_it_was_made(serve):
    server = serve(answers((200, "Connection: close")))
    with watch(timeline=True) as watched, ThreadPoolExecutor(1) as threads:
        session = requests.Session()
        made = line() - 1
        list(threads.map(session.get, [server.url] * 3))
        report = watched.report()
        session.close()
    assert {one["where"] for one in report["connections"]} == {f"{HERE}:{made} (Session)"}
    assert report["places"] == [f"{HERE}:{made} (Session)"]
    [host] = report["hosts"]
    [idle] = [one for one in host["causes"] if one["cause"] == "close-announced"]
    assert idle["count"] == 2


def test_requests_by_a_thread_that_runs_the_sessions_get_are_said_to_be_the_sessions(serve):
    server = serve(answers())
    with watch() as watched, requests.Session() as session, ThreadPoolExecutor(1) as threads:
        made = line() - 1
        session.headers["Connection"] = "close"
        list(threads.map(session.get, [server.url] * 3))
    assert cause(watched, "close-requested")["evidence"] == (
        f"Requests made by the Session made at {HERE}:{made}."
    )


def test_where_only_a_library_is_at_work_its_outermost_and_its_last_line_are_named(serve, package):
    server = serve(answers())
    shop = package("shop")
    with watch() as watched:
        for _ in range(3):
            shop.buy_in_background(server.url)
    found = cause(watched, "new-session")
    assert found["evidence"] == "Sessions made by a library alone: shop.py:9, through shop.py:3."
    assert found["cure"] == (
        "Make one Session, keep it, and use it for every request to this host. "
        "Here shop has it: see whether it takes yours, or has an option."
    )
    assert watched.report()["connections"][0]["where"] == "shop.py:9 (library)"


def test_a_thread_that_runs_requests_get_itself_is_told_by_requests_outermost_line(serve):
    server = serve(answers())
    with watch() as watched, ThreadPoolExecutor(1) as threads:
        list(threads.map(requests.get, [server.url] * 3))
    assert re.fullmatch(
        r"Sessions made by a library alone: requests/api\.py:\d+\.",
        cause(watched, "new-session")["evidence"],
    )


def test_where_only_a_package_that_calls_what_it_is_given_is_at_work_it_is_named(serve, package):
    server = serve(answers())
    traced = package("opentelemetry.instrument").traced
    with watch() as watched, ThreadPoolExecutor(1) as threads:
        list(threads.map(traced, [requests.get] * 3, [server.url] * 3))
    found = cause(watched, "new-session")
    assert found["evidence"] == "Sessions made by a library alone: opentelemetry/instrument.py:2."
    assert "through" not in found["facts"]


def test_code_that_a_library_has_generated_is_no_line_of_the_program(serve, package):
    server = serve(answers())
    shop = package("shop")
    with watch() as watched:
        for _ in range(2):
            shop.generated(server.url)
    assert cause(watched, "new-session")["evidence"] == (
        f"Sessions made at {HERE}:{line() - 2}, through shop.py:3."
    )


@pytest.mark.parametrize("file", ["<string>", "<stdin>", "<ipython-input-3-0123456789ab>"])
def test_code_without_a_file_is_the_programs_where_it_is_the_main_module(serve, file):
    server = serve(answers())
    code = compile(
        "import requests\nfor _ in range(2):\n    requests.get(url, timeout=9)", file, "exec"
    )
    with watch() as watched:
        exec(code, {"__name__": "__main__", "url": server.url})
    assert cause(watched, "new-session")["evidence"] == f"Sessions made at {file}:3."


def test_a_package_that_only_calls_what_it_is_given_is_not_named(serve, package):
    server = serve(answers())
    traced = package("opentelemetry.instrument").traced
    with watch() as watched:
        for _ in range(2):
            traced(requests.get, server.url)
    found = cause(watched, "new-session")
    assert found["evidence"] == f"Sessions made at {HERE}:{line() - 2}."
    assert "through" not in found["facts"]


def test_a_session_of_the_programs_that_a_library_is_given_is_mended_in_the_program(serve, package):
    server = serve(answers())
    client = package("spotipy.client")
    with watch() as watched:
        for _ in range(3):
            with requests.Session() as session:
                client.Spotify(requests_session=session).search(server.url)
    found = cause(watched, "new-session")
    assert found["evidence"] == f"Sessions made at {HERE}:{line() - 3}."
    assert found["cure"].endswith("use it for every request to this host.")
    assert "through" not in found["facts"]


def test_of_a_program_that_goes_two_ways_each_has_its_own_cure(serve, package):
    server = serve(answers())
    client = package("spotipy.client")
    with watch() as watched:
        for _ in range(3):
            client.Spotify().search(server.url)
        requests.get(server.url, timeout=PATIENCE_S)
    through, direct = line() - 2, line() - 1
    found = cause(watched, "new-session")
    assert found["evidence"] == (
        f"Sessions made at {HERE}:{through} (2), :{direct} (1), through spotipy/client.py:5 (2)."
    )
    assert found["facts"]["through"] == {"spotipy": 2, "requests": 1}
    assert found["cure"].startswith("spotipy: Make one spotipy.Spotify")
    assert " requests: Make one Session" in found["cure"]


def test_a_program_of_bare_urllib3_is_advised_in_its_words(serve):
    server = serve(answers())
    with watch() as watched:
        for _ in range(3):
            with urllib3.PoolManager() as pools:
                pools.request("GET", server.url, retries=False)
    found = cause(watched, "new-session")
    assert found["evidence"] == f"Requests made at {HERE}:{line() - 2}."
    assert found["cure"] == (
        "Make one PoolManager, keep it, and use it for every request to this host."
    )


def test_a_pool_that_is_too_small_is_made_larger_by_the_librarys_own_option(serve, package):
    all_sent = threading.Barrier(3)

    def together(peer: Peer) -> None:
        while peer.request():
            all_sent.wait(PATIENCE_S)
            peer.respond()

    server = serve(*[together] * 5)
    client = package("kubernetes.client.rest").RESTClientObject(maxsize=1)
    with watch() as watched, ThreadPoolExecutor(3) as threads:
        for _ in range(2):
            list(threads.map(client.request, [server.url] * 3))
        client.pool_manager.clear()
    found = cause(watched, "pool-too-small")
    assert found["count"] == 2
    assert found["evidence"] == (
        "Up to 3 requests at once; the pool keeps 1. "
        "Requests made by a library alone: kubernetes/client/rest.py:6."
    )
    assert found["cure"] == "Configuration.connection_pool_maxsize = 3."


def test_connections_left_open_are_counted_by_where_their_sessions_were_made(serve, package):
    server = serve(answers())
    client = package("spotipy.client")
    with watch() as watched:
        held = [client.Spotify() for _ in range(2)]
        held += [client.Spotify()]
        for one in held:
            one.search(server.url)
        report = watched.report()
    assert report["left_at"] == [
        f"{HERE}:{line() - 6} through spotipy/client.py:5",
        f"{HERE}:{line() - 6} through spotipy/client.py:5",
    ]
    assert (report["left_open"], report["left_each"]) == (3, [2, 1])
    del held


def test_a_body_that_a_library_leaves_unread_is_told_by_the_programs_line(serve, package):
    server = serve(answers())
    traced = package("opentelemetry.instrument").traced
    with watch() as watched, requests.Session() as session:
        session.mount("http://", HTTPAdapter())
        held = [traced(lambda: session.get(server.url, stream=True)) for _ in range(2)]
    assert cause(watched, "unread-body")["evidence"] == (
        f"Requested with stream=True at {HERE}:{line() - 2}."
    )
    del held
