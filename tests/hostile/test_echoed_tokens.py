"""A server may say the token back wherever it likes: it is in no output, no file and no error."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from rich.text import Text
from tests.hostile.echoing import echoing, forms_of, places
from tests.marks import complete
from tests.pairs import pairwise

from keptalive import redaction
from keptalive.bench.github.token import find_token
from keptalive.cli import output
from keptalive.redaction import redact

TOKEN = 's3cr3t/Tok+en="value'  # no prefix by which a pattern could know it
NUMBER = "9081726354453627"
PLACES = places()
PLAN = """
target = "{url}"
auth = "{auth}"
requests = ["/user"]
repeats = 1
rounds = 1
compare = "status"
"""


def found_in(text: str, token: str) -> list[str]:
    """In which forms the token is there."""
    plain = text.lower()
    return [name for name, form in forms_of(token).items() if form.lower() in plain]


def everything(ended, folder: Path) -> str:
    files = [path.read_text() for path in folder.rglob("*") if path.is_file()]
    return "\n".join([ended.said, *files])


# Of statuses that keptalive treats alike, one is enough for every change
ALIKE = ("404 ", "500 ", "503 ")


@pytest.mark.parametrize(
    "place", [complete(place) if place.startswith(ALIKE) else place for place in PLACES]
)
def test_a_token_that_the_server_says_back_is_nowhere_to_be_seen(
    keptalive, monkeypatch, tmp_path, place
):
    monkeypatch.setenv("KEPTALIVE_TOKEN", TOKEN)
    with echoing(PLACES[place], ",".join(forms_of(TOKEN).values())) as url:
        (tmp_path / "plan.toml").write_text(PLAN.format(url=url, auth="bearer"))
        ended = keptalive("bench", "plan.toml", "--json")
    assert "a fault of keptalive itself" not in ended.said
    assert found_in(everything(ended, tmp_path), TOKEN) == []


QUOTED = ("401 message", "404 reason", "302 https://{}/", "no HTTP")


@pytest.mark.parametrize(
    ("form", "auth", "place"), pairwise(list(forms_of(TOKEN)), ["bearer", "basic"], QUOTED)
)
def test_each_form_of_the_token_is_hidden_where_the_servers_refusal_is_quoted(
    keptalive, monkeypatch, tmp_path, form, auth, place
):
    monkeypatch.setenv("KEPTALIVE_TOKEN", TOKEN)
    with echoing(PLACES[place], forms_of(TOKEN)[form]) as url:
        (tmp_path / "plan.toml").write_text(PLAN.format(url=url, auth=auth))
        ended = keptalive("bench", "plan.toml")
    assert ended.code == 3
    assert "[hidden]" in ended.said
    assert found_in(ended.said, TOKEN) == []


HEADERS = """
headers = {{ "X-Api-Key" = "env:MY_HEADER", Cookie = "{token}" }}
requests = ["/user", {{ path = "/search", json = {{ password = "{token}" }} }}]
"""


@pytest.mark.parametrize(
    ("place", "form"),
    [
        *((place, "plain") for place in (*QUOTED, "200 body")),
        ("401 message", "base64"),
        ("404 reason", "quoted twice"),
    ],
)
def test_nor_is_a_header_from_the_environment_or_the_plan(
    keptalive, monkeypatch, tmp_path, place, form
):
    monkeypatch.setenv("MY_HEADER", TOKEN)
    inside = "another+secret+of+mine"
    with echoing(PLACES[place], f"{forms_of(TOKEN)[form]}, {inside}") as url:
        text = PLAN.format(url=url, auth="bearer").replace('requests = ["/user"]\n', "")
        plan = text + HEADERS.format(token=inside)
        (tmp_path / "plan.toml").write_text(plan)
        ended = keptalive("bench", "plan.toml", "--json")
    (tmp_path / "plan.toml").unlink()
    assert "a fault of keptalive itself" not in ended.said
    assert found_in(everything(ended, tmp_path), TOKEN) == []
    assert inside not in everything(ended, tmp_path)


def test_what_a_server_says_is_cut_only_when_the_token_is_out_of_it(keptalive, monkeypatch):
    monkeypatch.setenv("KEPTALIVE_TOKEN", TOKEN)
    with echoing(PLACES["401 long message"], TOKEN) as url:
        ended = keptalive("bench", "--target", url)
    assert "xxx[hidden]" in ended.said
    assert TOKEN[:4] not in ended.said


def test_a_token_is_not_put_together_again_from_two_lines(keptalive, capsys):
    redaction.IN_USE.add(TOKEN)
    for before in range(60, 80):
        output.Screen().print(f"{'x' * before} {TOKEN}", Text(f"{'y' * before}{TOKEN}"))
    assert TOKEN not in capsys.readouterr().out.replace("\n", "")


def test_the_token_that_gh_gives_is_known_from_then_on(monkeypatch, tmp_path):
    (tmp_path / "gh").write_text(f"#!/bin/sh\necho '{TOKEN}'\n")
    (tmp_path / "gh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    find_token("github.com", {}, ask=False)
    assert redact(f"It says {TOKEN}.") == "It says [hidden]."


def test_nor_is_a_token_of_digits_in_a_header_that_has_a_number(keptalive, monkeypatch, tmp_path):
    monkeypatch.setenv("KEPTALIVE_TOKEN", NUMBER)
    for place in ("200 headers", "429 headers", "403 headers"):
        answer = PLACES[place]
        with echoing(answer, NUMBER) as url:
            (tmp_path / "plan.toml").write_text(PLAN.format(url=url, auth="bearer"))
            ended = keptalive("bench", "plan.toml")
        assert "a fault of keptalive itself" not in ended.said, place
        assert NUMBER not in everything(ended, tmp_path), place


def test_nor_is_it_in_the_traceback_that_is_wanted_of_a_fault(keptalive, monkeypatch):
    monkeypatch.setenv("KEPTALIVE_TOKEN", TOKEN)
    monkeypatch.setenv("KEPTALIVE_DEBUG", "1")

    def fail(*_: object) -> None:
        raise LookupError(f"for {TOKEN}")

    monkeypatch.setattr("keptalive.cli.bench.prepared", fail)
    ended = keptalive("bench", "--target", "http://127.0.0.1:1")
    assert (ended.code, ended.stdout) == (70, b"")
    assert ended.said.count("LookupError: for [hidden]") == 2
    assert found_in(ended.said, TOKEN) == []


NAMES = ["KEPTALIVE_TOKEN", "DB_PASSWORD", "client_secret", "X_API_KEY", "AWS_SECRET_ACCESS_KEY"]


@pytest.mark.parametrize("name", NAMES)
def test_what_a_variable_named_like_a_secret_holds_is_hidden_in_errors(
    keptalive, monkeypatch, name
):
    monkeypatch.setenv(name, TOKEN)
    ended = keptalive("explain", f"no-such-{TOKEN}.log")
    assert ended.code == 2
    assert "no-such-[hidden].log" in ended.said


def test_the_login_of_netrc_that_the_server_says_back_is_hidden(keptalive, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login me password {NUMBER}x\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with echoing(PLACES["404 reason"], f"{NUMBER}x") as url:
        ended = keptalive("bench", "--target", url)
    assert ended.code == 3
    assert "answered 404 [hidden]." in ended.said


def test_query_values_stay_out_of_result_files_but_for_small_numbers(keptalive, tmp_path):
    paths = [
        "/user?per_page=30&q=private+words",
        "/user?password=hunter2&sig=Zm9v&page=2&draft=true",
    ]
    answer = lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"  # noqa: E731
    with echoing(answer, "") as url:
        plan = PLAN.format(url=url, auth="none").replace('["/user"]', json.dumps(paths))
        (tmp_path / "plan.toml").write_text(plan)
        ended = keptalive("bench", "plan.toml", "--json")
    assert ended.code == 0
    (saved,) = (tmp_path / "results").glob("*.json")
    hidden = [
        "/user?per_page=30&q=[hidden]",
        "/user?password=[hidden]&sig=[hidden]&page=2&draft=true",
    ]
    for text in (saved.read_text(), ended.stdout.decode()):
        assert json.loads(text)["keptalive"]["plan"]["requests"] == hidden
        assert not re.search("private|hunter2|Zm9v", text)
