"""keptalive as a person uses it: in a shell of Python, in a notebook, with print, dir and help."""

from __future__ import annotations

import gc
import pydoc
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
import requests
import urllib3
from tests.hostile.words import HOSTILE, faults_in
from tests.reports import FIRST_USE, host, whole
from tests.servers.peer import answers
from tests.servers.scripted import Server

import keptalive
from keptalive import UsageError
from keptalive.interactive import Watch, watch
from keptalive.records.report import Report
from keptalive.render.off_screen import as_html, as_text
from keptalive.render.report_sentences import About
from keptalive.watching.running import WATCHING

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&lt;</pre>"


@pytest.fixture
def server(serve: Callable[..., Server]) -> Server:
    return serve(answers())


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env = False
        yield made


# -- print, and a notebook -----------------------------------------------------------------------


def test_a_watch_is_printed_as_the_screen_of_its_report(server, session):
    with watch() as seen:
        session.get(server.url)
        assert str(seen).startswith("keptalive: watching for ")
        assert repr(seen) == "<keptalive.Watch, running: 1 connection opened, reused 0 times>"
    lines = str(seen).splitlines()
    assert lines[0].startswith("keptalive: watched for ")
    assert lines[1] == "Nothing to change."
    assert all(len(line) <= 80 for line in lines)
    assert repr(seen) == "<keptalive.Watch, ended: 1 connection opened, reused 0 times>"


def test_a_watch_that_has_not_begun_says_how_to_begin_it():
    seen = watch()
    begins = "Next: start(), or with keptalive.watch() as seen."
    assert str(seen).endswith(begins)
    assert begins in seen._repr_html_()
    with pytest.raises(UsageError, match="This watch has not begun"):
        seen.report()
    assert seen.stop() is seen


def test_a_notebook_shows_the_report_and_it_is_imported_with_it_only(server, session):
    code = (
        "import sys, keptalive; seen = keptalive.watch().start().stop()\n"
        "assert 'rich' not in sys.modules; seen._repr_html_(); assert 'rich' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with watch() as seen:
        session.get(server.url)
    html = seen._repr_html_()
    assert html.startswith("<pre style=")
    assert "Nothing to change." in html


class _Tags(HTMLParser):
    """The tags of a document, each with its attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("words", [SCRIPT, HOSTILE], ids=["html", "terminal"])
def test_whatever_stands_in_a_report_is_escaped_in_html(words):
    bad = host(f"https://{words}.test:443", FIRST_USE)
    report = Report(
        source="watch", seconds=1.0, hosts=(bad,), left_open=1, left_at=(words,), warnings=(words,)
    )
    html = as_html(report, About())
    shown = _Tags(html)
    assert set(shown.tags) <= {("pre", ("style",)), ("span", ("style",))}
    assert html.count("<pre") == html.count("</pre>") == 1
    assert faults_in(html.encode()) == []
    if words is SCRIPT:
        assert "<script>alert(1)</script>" in shown.text.replace("\n", "")


def test_every_kind_of_finding_can_be_shown_in_html_and_as_text():
    report = whole()
    assert _Tags(as_html(report, About())).text.split() == as_text(report, About()).split()


def test_secrets_are_in_neither(server, session, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "s3cr3t-v4lue-0815")
    with watch() as seen:
        session.get(server.url, headers={"Authorization": "Bearer s3cr3t-v4lue-0815"})
    assert "s3cr3t" not in str(seen) + seen._repr_html_() + repr(seen)


# -- start and stop ------------------------------------------------------------------------------


def test_a_watch_lasts_from_start_to_stop(server, session):
    seen = keptalive.watch().start()
    session.get(server.url)
    assert seen.start() is seen
    session.get(server.url)
    assert seen.stop().stop() is seen
    session.get(server.url)
    assert (seen.opened, seen.reused) == (1, 1)
    with pytest.raises(UsageError, match=r"Next: watch\(\).start\(\) begins another one"):
        seen.start()


def test_a_block_ends_a_watch_that_was_started_before(server, session):
    with watch().start() as seen:
        session.get(server.url)
    assert not seen.is_running


def test_a_watch_that_nobody_has_any_more_ends_when_the_next_one_begins(server, session):
    """A cell of a notebook that starts a watch runs twice."""
    seen = watch().start()
    seen = watch().start()
    gc.collect()
    with watch():
        assert len(WATCHING._observer.recorders) == 2
    session.get(server.url)
    assert seen.stop().opened == 1
    assert WATCHING._observer is None


# -- one response --------------------------------------------------------------------------------


def test_of_each_response_it_is_known_how_it_came(server, session):
    with watch() as seen:
        came = [seen.of(one) for one in [session.get(server.url) for _ in range(3)]]
        fresh = seen.of(requests.get(server.url))
    first, second, third = came
    assert (first.reused, first.cause, first.number, first.idle_s) == (False, "first-use", 1, None)
    assert first.seconds > 0
    assert "first-use (necessary)" in str(first)
    assert [(one.reused, one.cause, one.number) for one in came[1:]] == [
        (True, None, 2),
        (True, None, 3),
    ]
    assert second.idle_s > 0
    assert third.sentence.startswith(f"Reused a connection to {server.url.rstrip('/')}, response 3")
    assert (fresh.reused, fresh.cause) == (False, "new-session")
    assert fresh.where.startswith("test_interactive.py:") or "test_interactive.py" in fresh.where
    assert "a new Session, or requests.get, began with an empty pool" in repr(fresh)


def test_a_connection_that_replaces_another_has_its_evidence(serve, session):
    server = serve(answers((200, "Connection: close")), answers())
    with watch() as seen:
        session.get(server.url)
        told = seen.of(session.get(server.url))
    assert (told.cause, told.reused) == ("close-announced", False)
    assert 'the server said "Connection: close"' in told.sentence


def test_a_connection_that_was_open_before_is_reused_and_its_number_is_unknown(server, session):
    session.get(server.url)
    with watch() as seen:
        told = seen.of(session.get(server.url))
    assert (told.reused, told.number, told.idle_s, told.cause) == (True, None, None, None)
    assert "(it was open before this watch)" in told.sentence


def test_a_response_of_urllib3_is_known_too(server):
    with watch() as seen, urllib3.PoolManager() as pools:
        responses = [pools.request("GET", server.url) for _ in range(2)]
    assert [seen.of(one).reused for one in responses] == [False, True]


def test_a_response_that_came_before_or_over_no_connection_was_not_seen(server, session):
    before = session.get(server.url)
    with watch():
        other = requests.get(server.url)
    with watch() as seen:
        assert [seen.of(one).reused for one in (before, other, requests.Response())] == [None] * 3
    assert "Not seen" in str(seen.of(before))


def test_what_is_no_response_is_refused():
    with watch() as seen:
        for wrong in (3, None, SimpleNamespace(text="")):
            with pytest.raises(TypeError, match=r"of\(\) takes a response"):
                seen.of(wrong)


def test_it_keeps_no_response_alive(server, session):
    with watch() as seen:
        response = session.get(server.url)
        assert not seen.of(response).reused
        gone = [weakref.ref(response), weakref.ref(response.raw)]
        del response
        gc.collect()
        assert [one() for one in gone] == [None, None]


def test_a_place_in_a_notebook_is_named_by_its_cell(server, monkeypatch):
    """A stand-in for what IPython keeps; its real one was tried by hand, 9.18 with ipykernel."""
    made_up = "/tmp/ipykernel_1/2.py"
    numbers = {made_up: 7}
    shell = SimpleNamespace(compile=SimpleNamespace(_filename_map=numbers))
    module = SimpleNamespace(InteractiveShell=SimpleNamespace(_instance=shell))
    monkeypatch.setitem(sys.modules, "IPython.core.interactiveshell", module)
    cell = compile("response = requests.get(url)", made_up, "exec")
    with watch() as seen:
        exec(cell, names := {"requests": requests, "url": server.url, "__name__": "__main__"})
        assert seen.of(names["response"]).where == "In [7]:1"


# -- names ---------------------------------------------------------------------------------------


def test_dir_has_all_public_names_and_nothing_else():
    names = [name for name in dir(keptalive) if not name.startswith("__")]
    assert names == sorted(keptalive.__all__)
    assert keptalive.__version__ == keptalive.version.VERSION
    assert keptalive.Watch is Watch


def test_help_describes_the_public_names_and_how_to_use_them():
    text = pydoc.plain(pydoc.render_doc(keptalive))
    assert "with keptalive.watch() as seen:" in text
    for name in keptalive.__all__:
        assert f" {name}(" in text
