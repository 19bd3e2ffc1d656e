from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from keptalive.errors import KeptaliveError, UsageError
from keptalive.lookalike.behaviour import Scenario
from keptalive.lookalike.process import Lookalike


def test_each_scenario_has_a_url_on_loopback_of_its_own():
    with Lookalike.start(["keep-alive", Scenario(name="idle-timeout", number=60)]) as lookalike:
        urls = [lookalike.url("keep-alive"), lookalike.url("idle-timeout=60")]
        assert lookalike.url(Scenario(name="idle-timeout", number=60.0)) == urls[1]
    assert all(url.startswith("https://127.0.0.1:") and not url.endswith("/") for url in urls)
    assert urls[0] != urls[1]


def test_the_bundle_lives_as_long_as_the_server():
    with Lookalike.start(["keep-alive"]) as lookalike:
        assert lookalike.ca_bundle.read_bytes().count(b"BEGIN CERT") == lookalike.certificates
        assert lookalike.certificates > 50
    assert not lookalike.ca_bundle.parent.exists()


def test_every_connection_the_client_has_is_counted_at_once():
    with Lookalike.start(["keep-alive"]) as lookalike:
        parts = urlsplit(lookalike.url("keep-alive"))
        connections = []
        for count in range(1, 301):
            connections.append(socket.create_connection((parts.hostname, parts.port)))
            if count % 3 == 0:
                assert lookalike.accepted("keep-alive") == count
        for connection in connections:
            connection.close()
        assert lookalike.accepted("keep-alive") == 300


def test_cpu_time_grows_with_the_work(serve, connect):
    lookalike = serve("keep-alive")
    client = connect(lookalike, "keep-alive")
    before = lookalike.cpu_seconds()
    for _ in range(200):
        client.ask()
    assert 0.002 < lookalike.cpu_seconds() - before < 2


def test_the_rate_limit_is_adjustable(serve, connect):
    lookalike = serve("keep-alive", "stray-bytes", rate_limit=2)
    client = connect(lookalike, "keep-alive")
    assert [client.ask().status for _ in range(3)] == [200, 200, 403]
    assert connect(lookalike, "stray-bytes").ask().status == 200


@pytest.mark.parametrize(
    ("scenarios", "options", "complaint"),
    [
        (["nonsense"], {}, "unknown scenario 'nonsense'"),
        (["keep-alive"], {"rtt_ms": -1}, "zero or more milliseconds, not -1"),
        (["keep-alive"], {"rtt_ms": float("nan")}, "zero or more milliseconds, not nan"),
    ],
)
def test_nonsense_is_refused_before_anything_starts(scenarios, options, complaint):
    with (
        pytest.raises(UsageError, match=complaint),
        Lookalike.start(scenarios, **options),
    ):
        pass


def test_a_scenario_that_is_not_served_is_refused(serve):
    lookalike = serve("keep-alive")
    with pytest.raises(UsageError, match="stale=1 is not served here, only keep-alive"):
        lookalike.url("stale")


def test_time_does_not_go_back(serve):
    with pytest.raises(UsageError, match="it must be 0 or more"):
        serve("idle-timeout").skip("idle-timeout", seconds=-1)


@pytest.mark.parametrize("exception", [RuntimeError, KeyboardInterrupt])
def test_the_server_ends_when_the_body_raises(exception):
    with pytest.raises(exception), Lookalike.start(["keep-alive"]) as lookalike:
        raise exception
    assert lookalike._helper.child.returncode == 0


def test_a_server_that_died_is_reported_in_one_line():
    with Lookalike.start(["keep-alive"]) as lookalike:
        os.kill(lookalike._helper.child.pid, signal.SIGKILL)
        for _ in range(2):
            with pytest.raises(KeptaliveError) as death:
                lookalike.accepted("keep-alive")
            assert str(death.value) == "the look-alike server ended: exit code -9"


def test_a_server_that_has_been_stopped_says_so():
    with Lookalike.start(["keep-alive"]) as lookalike:
        pass
    with pytest.raises(KeptaliveError, match="has stopped"):
        lookalike.cpu_seconds()


def test_a_server_that_does_not_start_is_reported_with_its_last_words(monkeypatch, tmp_path):
    python = tmp_path / "python"
    python.write_text(
        "#!/bin/sh\necho 'Traceback' >&2\necho 'ImportError: no wheels' >&2\nexit 1\n"
    )
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with (
        pytest.raises(KeptaliveError) as failure,
        Lookalike.start(["keep-alive"]),
    ):
        pass
    assert str(failure.value) == "the look-alike server did not start: ImportError: no wheels"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_does_not_end_the_server(number):
    with Lookalike.start(["keep-alive"]) as lookalike:
        os.kill(lookalike._helper.child.pid, number)
        assert lookalike.accepted("keep-alive") == 0


def test_a_signal_to_our_process_group_does_not_reach_the_server():
    with Lookalike.start(["keep-alive"]) as lookalike:
        assert os.getpgid(lookalike._helper.child.pid) != os.getpgid(0)


def test_the_reply_to_an_interrupted_command_is_not_taken_for_the_next_reply():
    with Lookalike.start(["keep-alive"]) as lookalike:
        lookalike._helper._commands = 7
        lookalike._helper.child.stdin.write(b'{"id": 7, "command": "cpu_seconds"}\n')
        assert lookalike.accepted("keep-alive") == 0


def test_the_server_imports_no_client():
    # Beyond what the package itself brings, which is not for this test to judge.
    code = (
        "import sys, keptalive; before = set(sys.modules); import keptalive.lookalike.child as _; "
        "print(sorted({'requests', 'urllib3', 'rich', 'typer'} & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_child_whose_input_ends_before_it_began_ends_quietly():
    command = [sys.executable, "-m", "keptalive.lookalike"]
    done = subprocess.run(command, input="", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
