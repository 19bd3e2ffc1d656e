"""When a watch ends, all that it has replaced is as before, whoever else has replaced it too."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
import requests

from keptalive.watching.api import watch
from keptalive.watching.hooks import PLACES

from .state import same, state


def test_while_it_lasts_every_place_is_wrapped_and_afterwards_none():
    before = state()
    with watch():
        during = state()
        assert not any(a[3] is b[3] for a, b in zip(before, during, strict=True))
        with watch():
            assert same(during, state())
        assert same(during, state())
    assert same(before, state())


def test_after_an_error_too():
    before = state()
    with pytest.raises(KeyError), watch():
        raise KeyError
    assert same(before, state())


@pytest.mark.parametrize("place", range(len(PLACES)))
def test_what_somebody_else_has_put_on_top_stays_until_they_take_it_away(place, serve, monkeypatch):
    owner, name, _ = PLACES[place]
    server = serve()
    watching = watch()
    watched = watching.__enter__()
    with monkeypatch.context() as patched:
        ours = getattr(owner, name)

        def theirs(*args: Any, **named: Any) -> Any:
            return ours(*args, **named)

        before = vars(owner)[name]
        patched.setattr(owner, name, theirs)
        requests.get(server.url)
        watching.__exit__(None, None, None)
        assert getattr(owner, name) is theirs
        requests.get(server.url)
        assert before is ours
        with watch() as another:
            requests.get(server.url)
        assert another.opened == 1
        assert another.report()["warnings"] == []
        assert getattr(owner, name) is theirs
    assert watched.opened == 1
    # what they have put back is ours, and silent: the next watch takes it away
    with watch() as third:
        requests.get(server.url)
    assert third.opened == 1


def test_a_session_is_pickled_as_before(serve):
    server = serve()
    with requests.Session() as session:

        def pickled() -> bytes:
            session.cookies = requests.cookies.RequestsCookieJar()  # has the time in it
            return pickle.dumps(session)

        before = pickled()
        with watch():
            session.get(server.url)
            within = pickled()
        assert before == within == pickled()
        with pickle.loads(within) as again, watch() as watched:
            assert again.get(server.url).text == "ok"
        assert watched.opened == 1
