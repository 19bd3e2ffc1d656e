"""The files of a rotated log are read in their order, whatever order a shell names them in."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest

from keptalive.errors import UsageError
from keptalive.logs.explain import explained
from keptalive.logs.rotation import Part, in_turn
from keptalive.records.report import Report

GLOB = ["app.log", "app.log.1", "app.log.10", "app.log.2.gz"]  # as a shell sorts app.log*
OLDEST_FIRST = ["app.log.10", "app.log.2.gz", "app.log.1", "app.log"]


def names(*parts: Part) -> list[str]:
    return list(in_turn(parts).names)


# -- The order, by what is known of each


def test_times_order_logs_whatever_they_are_called():
    parts = [Part("b", 1.7e9 + 2), Part("a", 1.7e9 + 3), Part("c", 1.7e9 + 1)]
    assert names(*parts) == ["c", "b", "a"]
    assert not in_turn(parts).as_given


def test_numbers_order_the_files_of_a_rotation_without_times_the_highest_first():
    turns = in_turn([Part(name) for name in GLOB])
    assert (list(turns.names), turns.as_given) == (OLDEST_FIRST, False)


def test_numbers_decide_where_times_are_equal():
    assert names(*(Part(name, 1.7e9) for name in GLOB)) == OLDEST_FIRST


@pytest.mark.parametrize(
    "of_one",
    [
        ["app.log-20261124.gz", "app.log-20261125", "app.log"],
        ["app.log.2026-11-24_10", "app.log.2026-11-24_11", "app.log"],
        ["logs/app-2026-11-24.log", "logs/app-2026-11-25.log", "logs/app.log"],
    ],
)
def test_dates_order_the_files_of_a_rotation_without_times_and_the_plain_one_is_the_newest(of_one):
    shuffled = random.Random(1).sample(of_one, len(of_one))
    assert names(*map(Part, shuffled)) == of_one


@pytest.mark.parametrize("given", [["b.log", "a.log"], ["x/app.log", "y/app.log.1"]])
def test_other_logs_without_times_are_read_as_given(given):
    turns = in_turn([Part(name) for name in given])
    assert (list(turns.names), turns.as_given) == (given, True)


def test_a_december_without_a_year_comes_before_the_january_after_it():
    january, december = 1_767_400_000.0, 1_767_400_000.0 + 360 * 86400
    parts = [Part("new", january, has_year=False), Part("old", december, has_year=False)]
    assert names(*parts) == ["old", "new"]
    with_years = [part._replace(has_year=True) for part in parts]
    assert names(*with_years) == ["new", "old"]


# -- Files

LINES = [
    line
    for number in range(1, 31)
    for line in (
        f"Starting new HTTPS connection ({number}): api.test:443",
        'https://api.test:443 "GET /user HTTP/1.1" 200 2',
        'https://api.test:443 "GET /user HTTP/1.1" 200 2',
    )
]
STAMPS = {
    "of this year": "2026-11-26 15:04:{:02},000 MainThread urllib3.connectionpool {}",
    "without a year": "Nov 26 15:04:{:02} box app[7]: urllib3.connectionpool {}",
    "without a date": "15:04:{:02} urllib3.connectionpool {}",
    "none": "DEBUG:urllib3.connectionpool:{1}",
    "JSON": "",
}


def stamped(name: str) -> list[str]:
    """Two lines a second."""
    times = (f"2026-11-26 15:04:{at // 2:02},000" for at in range(len(LINES)))
    if name == "JSON":
        return [
            json.dumps({"asctime": time, "message": line})
            for time, line in zip(times, LINES, strict=True)
        ]
    return [STAMPS[name].format(at // 2, line) for at, line in enumerate(LINES)]


def facts(report: Report) -> tuple[object, ...]:
    return report.hosts, report.findings, report.warnings, report.seconds


@pytest.mark.parametrize("stamp", STAMPS)
def test_a_rotated_log_is_explained_as_the_whole_one(stamp, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = stamped(stamp)
    for number, name in enumerate(OLDEST_FIRST):
        piece = "\n".join(
            lines[number * 20 : number * 20 + 20]
        ).encode()  # no line break at the end
        Path(name).write_bytes(gzip.compress(piece) if name.endswith(".gz") else piece)
    Path("whole").write_text("\n".join(lines[:80]))
    whole = explained("whole")
    assert facts(explained(*GLOB)) == facts(whole)
    assert sum(host.opened or 0 for host in whole.hosts) == 27


def written(folder: Path, **logs: str) -> list[str]:
    for name, text in logs.items():
        (folder / name).write_text(text)
    return [str(folder / name) for name in logs]


def lines_from(second: int, count: int = 9) -> str:
    stamp = STAMPS["of this year"]
    return "".join(f"{stamp.format(second + n, line)}\n" for n, line in enumerate(LINES[:count]))


def test_an_empty_file_of_a_rotation_does_not_disturb(tmp_path):
    logs = written(tmp_path, new="", old=lines_from(3))
    assert explained(*logs) == explained(logs[1])


def test_a_file_that_is_named_twice_is_read_once(tmp_path):
    (log,) = written(tmp_path, log=lines_from(3))
    (tmp_path / "same").symlink_to(log)
    assert explained(log, log, str(tmp_path / "same")) == explained(log)


def test_logs_that_overlap_are_said_to_be_no_parts_of_one(tmp_path):
    one, other = written(tmp_path, one=lines_from(1, 30), other=lines_from(10))
    (warning, *_) = explained(other, one).warnings
    assert warning == (
        f"{other} begins before {one} ends: they are not parts of one log, and what was read as "
        "one is not certain. Next: explain each alone."
    )
    assert not any("begins before" in said for said in explained(one).warnings)


def test_that_logs_were_read_as_given_is_said(tmp_path):
    text = "".join(f"{STAMPS['none'].format(0, line)}\n" for line in LINES)
    logs = written(tmp_path, b=text, a=text)
    assert explained(*logs).warnings[0] == (
        "Not all of these logs have times, so they were read in the order given: "
        f"{logs[0]} and {logs[1]}."
    )


def test_a_damaged_one_of_several_is_named(tmp_path):
    (log,) = written(tmp_path, log=lines_from(3))
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(lines_from(30, 60).encode())[:-9])
    assert explained(str(cut), log).warnings[0] == (
        f"{cut} is damaged, or has no end: the rest is missing."
    )


UNREADABLE = "The log cannot be read: nix.log"


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ("-", "Standard input cannot be put in order with other logs. Next: name files only."),
        (
            "nix.log",
            f"{UNREADABLE}: No such file or directory. Next: name a file that can be read.",
        ),
        ("binary", "binary is no log but a binary file.\nNext: name debug logs, text or gzip."),
    ],
)
def test_one_of_several_that_cannot_be_read_is_named(other, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("log").write_text(lines_from(3))
    Path("binary").write_bytes(bytes(range(256)))
    with pytest.raises(UsageError) as caught:
        explained("log", other)
    assert str(caught.value) == said


def test_several_logs_without_urllib3_say_how_to_log(tmp_path):
    logs = written(tmp_path, a="2026-11-26 15:04:01 nothing\n", b="2026-11-26 15:04:02 here\n")
    with pytest.raises(UsageError, match=r"None of these 2 logs has a line .* \(lines: 2\)"):
        explained(*logs)


def test_responses_by_http2_are_named_in_a_log(tmp_path):
    text = lines_from(3)
    one, two = written(tmp_path, one=text, two=text.replace("HTTP/1.1", "HTTP/2"))
    assert explained(one).findings == ()
    (finding,) = explained(two).findings
    assert finding.finding == "http2"
    assert finding.evidence.startswith("urllib3's HTTP/2 is in use. HTTP/2 can carry")
