"""A marked test in which no connection was seen checks nothing, and pytest warns of it."""

from __future__ import annotations

import pytest

MOCKED = """
    @pytest.fixture
    def mocked(monkeypatch):
        def send(self, request, **settings):
            response = requests.Response()
            response.status_code = 200
            return response
        send.__module__ = "responses"
        monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)

    @pytest.mark.connections(at_most=1)
    def test_it(mocked):
        requests.get("http://api.example.com/")
"""
CHECKED_NOTHING = "connections(at_most=1) checked nothing: no connection was seen."
LEFT_TO_WARN = ("-o", "filterwarnings=default")


def test_a_test_whose_answers_were_mocked_warns_and_says_by_whom(project):
    result = project.run(MOCKED, *LEFT_TO_WARN)
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(
        [
            "test_it.py::test_it",
            f"  test_it.py:15: NothingSeen: {CHECKED_NOTHING}",
            "  1 answer came from no socket, but from a mock or a recording",
            "  (responses): http://api.example.com:80. Not counted as a request.",
            "  → Use a real server, such as the fixture keepalive_server, or remove the",
            "    marker.",
        ],
        consecutive=True,
    )


def test_where_warnings_are_errors_it_fails_without_a_traceback_of_the_plugin(project):
    result = project.run(MOCKED)
    result.assert_outcomes(failed=1)
    shown = project.shown(result)
    assert f"{' test_it ':_^80}\n{CHECKED_NOTHING}\n" in shown
    assert "or remove the\n  marker.\n\ntest_it.py:15\n" in shown


def test_the_warning_can_be_ignored_by_its_name(project):
    ignored = "ignore::keptalive.pytest_plugin.NothingSeen"
    project.run(MOCKED, "-W", ignored).assert_outcomes(passed=1, warnings=0)


@pytest.mark.parametrize(
    ("marker", "body", "warns"),
    [
        ("forbid='retry'", "pass", True),
        ("at_most=1, per_host=True", "pass", True),
        ("at_most=0", "pass", False),
        ("exactly=0", "pass", False),
        ("at_most=1", "shop.prices(BASKET)", False),
        ("at_most=1", "prices_on_kept_connection(shop)", False),
        ("at_most=1", "requests.get(refusing)", False),
        ("at_most=1", "pytest.skip()", False),
    ],
)
def test_only_a_marked_test_that_passes_without_any_request_warns(project, marker, body, warns):
    result = project.run(
        f"""
        import contextlib, socket

        @pytest.fixture
        def refusing():
            with socket.socket() as sock:
                sock.bind(("127.0.0.1", 0))
                yield "http://127.0.0.1:{{1}}/".format(*sock.getsockname())

        def prices_on_kept_connection(shop):
            shop.prices(BASKET)

        @pytest.mark.connections({marker})
        def test_it(shop, refusing):
            with contextlib.suppress(requests.ConnectionError):
                {body}
        """,
        *LEFT_TO_WARN,
    )
    assert warns == ("NothingSeen" in result.stdout.str())


def test_a_setting_for_all_tests_warns_of_none(project):
    with (project.path / "pytest.ini").open("a") as ini:
        ini.write("connections_at_most = 1\n")
    project.run("def test_it(): pass", "-W", "error").assert_outcomes(passed=1)
