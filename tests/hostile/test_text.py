"""Whatever strangers write, no terminal and no CI obeys what a command prints of it."""

from __future__ import annotations

import json
import logging
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from tests.hostile.words import ARGUMENT, HOSTILE, LONG, faults_in
from tests.runs import run

from keptalive import results
from keptalive.text import as_json, harmless, one_line

COLOURS = [False, True]
PLAN = 'target = "http://127.0.0.1:1"\nauth = "none"\n'


@pytest.fixture(params=COLOURS, ids=["plain", "colours"])
def command(request, keptalive, monkeypatch):
    """Runs a command, and looks at every byte of what it writes; gives what it said."""
    if request.param:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm-256color")

    def checked(*arguments: object, code: int | None = None) -> str:
        ended = keptalive(*arguments)
        for written in (ended.stdout, ended.stderr):
            assert faults_in(written, colours=request.param) == []
        assert "a fault of keptalive itself" not in ended.said
        assert code in (None, ended.code), ended.said
        return ended.said

    return checked


# -- Arguments -----------------------------------------------------------------------------------

COMMANDS = ["bench", "compare", "run", "explain", "serve"]
USAGES = [
    *([name, f"--{text}"] for name in COMMANDS for text in (ARGUMENT, LONG)),
    *([name, ARGUMENT] for name in ("bench", "compare", "run", "explain")),
    *([name, "x", "y", "z", ARGUMENT] for name in ("bench", "compare", "explain")),
    *([name, f"-{ARGUMENT}"] for name in COMMANDS),
    [ARGUMENT],
    [f"--{ARGUMENT}"],
    ["bench", "--rounds", ARGUMENT],
    ["bench", "--budget", ARGUMENT],
    ["bench", "--target", ARGUMENT],
    ["bench", "--target", f"http://{ARGUMENT}/"],
    ["bench", "--target", f"http://127.0.0.1:1/{ARGUMENT}"],
    ["bench", "--results", f"/dev/null/{ARGUMENT}"],
    ["compare", ARGUMENT, ARGUMENT],
    ["compare", "--fail-on", ARGUMENT],
    ["compare", "--fail-on", f"time:{ARGUMENT}%"],
    ["compare", "--export", ARGUMENT],
    ["compare", "--export", f"bencher={ARGUMENT}"],
    ["run", "-m", ARGUMENT],
    ["run", "--json", f"/dev/null/{ARGUMENT}", "x"],
    ["explain", f"/dev/null/{ARGUMENT}"],
    ["explain", "--follow", f"/dev/null/{ARGUMENT}"],
    ["serve", "--scenario", ARGUMENT],
    ["serve", "--scenario", f"idle-timeout={ARGUMENT}"],
    ["serve", "--port", ARGUMENT],
    ["serve", "--bundle", f"/dev/null/{ARGUMENT}"],
]


@pytest.mark.parametrize("words", USAGES, ids=lambda words: ascii(" ".join(words))[:60])
def test_an_argument_that_is_quoted_in_an_error_is_not_obeyed(command, words):
    said = command(*words, code=2)
    assert said.startswith(("keptalive: ", "\x1b["))


@pytest.mark.parametrize("words", [["--help"], [], *([name, "--help"] for name in COMMANDS)])
def test_the_help_has_its_colours_and_nothing_else(command, words):
    assert "Usage" in command(*words)


def test_the_help_is_coloured_where_that_is_wanted(keptalive):
    inner, outer = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "keptalive", "explain", "--help"],
        stdout=outer,
        stderr=outer,
        env={**os.environ, "TERM": "xterm", "PATH": os.defpath},
    ):
        os.close(outer)
        shown = b""
        try:
            while piece := os.read(inner, 65536):
                shown += piece
        except OSError:  # Linux: the other side has closed
            os.close(inner)
    assert b"\x1b[1m" in shown
    assert rb"\x1b" not in shown
    assert faults_in(shown.replace(b"\r\n", b"\n"), colours=True) == []


def test_markup_of_strangers_is_shown_as_it_is(command):
    said = command("explain", "[bold]x[/bold]:skull:[link=http://h]y", code=2)
    assert "[bold]x[/bold]:skull:[link=http://h]y" in said


# -- Files ---------------------------------------------------------------------------------------

STRING = json.dumps(HOSTILE, ensure_ascii=True).replace("\\u007f", "\\u007F")
NOT_TOML = [HOSTILE, f'x = "{HOSTILE}', f"{LONG} = 1"]
OF_PLANS = [
    f'"{key}" = 1' if key == "k" else line
    for key, line in (
        ("key", f'{json.dumps(HOSTILE)[:-1]}x" = 1'.replace("\\ud", "\\\\ud")),
        *((name, f"{name} = {STRING}") for name in ("target", "auth", "compare", "rounds")),
        *((name, f"{name} = [{STRING}]") for name in ("requests", "scenarios", "strategies")),
        ("gate", f"[gate]\n{STRING} = 1"),
        ("gate", f"[gate]\nstrategy = {STRING}\nmax_opened = 1"),
        ("gate", f"[gate]\nscenario = {STRING}\nmax_opened = 1"),
    )
]


@pytest.mark.parametrize("contents", [*NOT_TOML, *OF_PLANS])
def test_what_a_plan_is_refused_for_is_not_obeyed(command, tmp_path, contents):
    plan = tmp_path / f"{HOSTILE.replace('/', '|')}.toml"
    plan.write_text(contents, encoding="utf-8", errors="surrogatepass", newline="")
    command("bench", plan, code=2)


def hostile(value: object) -> object:
    """The value, every text in it followed by something to obey, most keys too."""
    match value:
        case str():
            return value + HOSTILE
        case list() | tuple():
            return [hostile(inner) for inner in value]
        case dict():
            return {key: hostile(inner) for key, inner in value.items()}
    return value


@pytest.fixture
def hostile_result(tmp_path):
    contents = hostile(results.document(run(environment={"x": "y"})))
    ours = contents["keptalive"]
    for part in ("trials", "summary"):  # by these its parts belong together
        for row in ours[part]:
            row["strategy"] = row["strategy"].removesuffix(HOSTILE)
            row["scenario"] = row["scenario"].removesuffix(HOSTILE)
    for name in ("environment", "plan"):
        ours[name] |= {f"{HOSTILE}{LONG}": HOSTILE}
    path = tmp_path / "hostile.json"
    path.write_text(json.dumps(contents))
    return path


@pytest.mark.parametrize("options", [(), ("--absolute",), ("--json",), ("--export", "bencher=b")])
def test_no_text_of_a_result_is_obeyed(command, monkeypatch, tmp_path, hostile_result, options):
    plain = tmp_path / "plain.json"
    plain.write_text(json.dumps(results.document(run())))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    for pair in ((plain, hostile_result), (hostile_result, plain), (hostile_result,) * 2):
        command("compare", *pair, *options)
    for file in ("summary.md", "b"):
        if (tmp_path / file).exists():
            assert faults_in((tmp_path / file).read_bytes()) == []


def test_the_one_annotation_is_a_single_command_whatever_is_quoted_in_it(keptalive, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    ended = keptalive("compare", ARGUMENT)
    annotation, rest = ended.stderr.split(b"\n", 1)
    assert annotation.startswith(b"::error title=keptalive compare%3A no comparison::There is no")
    assert faults_in(annotation[2:]) == []
    assert faults_in(rest) == []


LOG = "\n".join(
    f"{HOSTILE.splitlines()[0]} {name} DEBUG:urllib3.connectionpool:{line}"
    for name in ("\x1b[31mThread-1", "\u202eThread-2", LONG)
    for line in (
        "Starting new HTTPS connection (1): h\x1b[31m\u202e.example:443",
        "Starting new HTTPS connection (2): ::error::.example:443",
        f"Starting new HTTPS connection (1): {LONG.replace(' ', '')}.example:443",
        'https://h\x1b[31m\u202e.example:443 "GET /\x1b[31m HTTP/1.1" 200 1',
        'https://::error::.example:443 "GET /::error::x HTTP/1.1" 200 1',
        f'https://{LONG.replace(" ", "")}.example:443 "GET / HTTP/1.1" 200 1',
        'https://[bold]x[/bold].example:443 "GET / HTTP/1.1" 200 1',
        "Resetting dropped connection: [link=http://x]y",
        "Retrying (Retry(total=2)) after connection broken by '\x1b[31m'",
    )
)


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_no_text_of_a_log_is_obeyed(command, tmp_path, options):
    log = tmp_path / f"{HOSTILE.replace('/', '|')}.log"
    log.write_text(LOG, newline="")
    said = command("explain", log, *options, code=0)
    assert "https://h" in said
    log.write_text("")
    command("explain", log, *options, code=2)


PROGRAM = """
import requests, sys
for n in range(3):
    requests.get(sys.argv[1])
"""


@pytest.fixture
def hostile_program(tmp_path):
    """A script of a hostile name in a hostile folder, which makes three Sessions."""
    folder = tmp_path / HOSTILE.replace("/", "|")
    folder.mkdir()
    script = folder / f"::error::{HOSTILE.replace('/', '|')}.py"
    script.write_text(PROGRAM)
    return script


def test_no_name_of_a_program_is_obeyed(keptalive, tmp_path, hostile_program, monkeypatch):
    monkeypatch.setenv("PATH", os.defpath)
    from tests.hostile.echoing import echoing

    with echoing(lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "") as url:
        ended = keptalive("run", "--json", "report.json", hostile_program, url)
    assert ended.code == 0
    assert "new-session" in ended.said
    assert faults_in(ended.stdout + ended.stderr) == []
    assert faults_in(Path("report.json").read_bytes()) == []


# -- What others print meanwhile -----------------------------------------------------------------


def test_what_a_library_logs_or_prints_meanwhile_is_not_obeyed(keptalive, monkeypatch):
    def meddle(*_: object, **__: object) -> None:
        logging.Logger("urllib3").warning(HOSTILE)
        for stream in (sys.stdout, sys.stderr):
            stream.write(":")
            stream.writelines([":error::x\n", "#", "#[error]x"])
        raise RuntimeError(HOSTILE)

    monkeypatch.setattr("keptalive.logs.explain.explained", meddle)
    monkeypatch.setenv("KEPTALIVE_DEBUG", "1")
    ended = keptalive("explain", "-")
    assert ended.code == 70
    assert ended.stdout == b": :error::x\n# #[error]x"
    assert ended.stderr.count(rb"\x1b[31m") == 3  # logged, in the traceback, and told
    assert faults_in(ended.stderr) == []


def test_a_stream_that_cannot_show_a_character_shows_its_escape(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-m", "keptalive", "explain", "\u2192\u202f\udcff.log"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "ascii:strict"},
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 2
    assert rb"\u2192\u202f\xff.log" in ended.stderr


# -- JSON ----------------------------------------------------------------------------------------


def test_json_reads_back_as_it_was_and_is_not_obeyed():
    value = {
        HOSTILE: [HOSTILE, {"a": ARGUMENT, "n": [1, 2.5, None, True]}],
        LONG: "caf\u00e9 \u2192",
    }
    text = as_json(value)
    assert value == json.loads(text)
    assert faults_in(text.encode()) == []
    assert "caf\u00e9 \u2192" in text


@pytest.mark.parametrize("cut", range(1, 24))
def test_text_that_comes_in_pieces_is_as_harmless_as_in_one(cut, capsys):
    from keptalive.cli.cleaning import guarded

    text = "  ::error::x\n::a ##[b]\n#x##vso[c]\r\n"
    with guarded():
        for place in range(0, len(text), cut):
            sys.stdout.write(text[place : place + cut])
    assert harmless(text) == capsys.readouterr().out


def test_what_is_harmless_stays_as_it_is():
    for text in (
        "std::vector",
        "https://[::1]:443",
        "tests/a.py::test_b",
        "# a",
        "a\u202fb",
        "é→×",
    ):
        assert text == harmless(text) == one_line(text)
