"""A report of causes as a person reads it: the verdict first, one screen, 80 columns."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from keptalive.render.terminal.report import perfect, screen


def cause(name: str, count: int, seconds: float | None = 0.1, **words: str) -> dict[str, Any]:
    said = {"evidence": "Seen.", "cure": "Change this.", **words}
    return {"cause": name, "count": count, "seconds": seconds, **said}


def host(name: str, *causes: dict[str, Any], **numbers: Any) -> dict[str, Any]:
    opened = sum(one["count"] for one in causes)
    return {
        "host": f"https://{name}:443",
        "requests": opened + 2,
        "attempts": opened + 2,
        "opened": opened,
        "reopened": 0,
        "reused": 2,
        "seconds_opening": sum(one["seconds"] or 0 for one in causes),
        "phases": {},
        "causes": list(causes),
        **numbers,
    }


def shown(*hosts: dict[str, Any], width: int = 80, **more: Any) -> list[str]:
    report = {"hosts": list(hosts), "left_open": 0, "left_at": [], "warnings": [], **more}
    file = io.StringIO()
    Console(file=file, width=width, color_system=None).print(screen(report))
    return [line.rstrip() for line in file.getvalue().splitlines()]


BAD = host("bad.test", cause("first-use", 1), cause("new-session", 3))
FINE = host("fine.test", cause("first-use", 1))


def test_a_host_is_told_with_its_causes_evidence_and_cures():
    lines = shown(BAD)
    assert "https://bad.test:443   6 requests, 4 connections opened, perfect reuse: 1" in lines
    [told] = [line for line in lines if line.lstrip().startswith("3 ×")]
    assert told.endswith("100 ms")
    assert "        Seen." in lines
    assert "        → Change this." in lines


def test_what_is_owed_needs_no_evidence_and_no_cure():
    assert "Change this." not in " ".join(shown(FINE))
    assert perfect(BAD) == perfect(FINE) == 1


def test_hosts_without_a_fault_take_one_line_each_and_many_take_one_together():
    lines = shown(*[host(f"h{n}.test", cause("first-use", 1)) for n in range(9)], BAD)
    assert len([line for line in lines if ".test:443" in line]) == 6
    assert "and 4 more hosts, as well." in lines


def test_several_hosts_are_summed_up_first():
    lines = shown(BAD, FINE, seconds=9.0)
    assert lines[:3] == [
        "5 connections opened to 2 hosts, perfect reuse: 2.",
        "300 ms of 9.0 s went into opening them.",
        "",
    ]


def test_the_share_of_the_whole_and_the_phases_are_told():
    costly = host("bad.test", cause("first-use", 1, 0.5), cause("server-closed", 3, 1.5))
    costly["phases"] = {"ca_bundle": 1.2, "tls": 0.7, "connect": 0.1, "rest": 0.0}
    lines = " ".join(shown(costly, seconds=8.0, width=200))
    assert (
        "2.0 s of 8.0 s went into opening them (CA bundle 1.2 s, TLS 700 ms); perfect reuse would "
        "have spared 1.5 s." in lines
    )
    assert "tuned_session() loads the CA bundle once" in lines


def test_what_only_the_program_did_needs_no_cheaper_connections():
    costly = host("bad.test", cause("first-use", 1, 0.5), cause("new-session", 3, 1.5))
    costly["phases"] = {"ca_bundle": 1.8}
    assert "tuned_session()" not in " ".join(shown(costly))


def test_seconds_of_several_threads_are_no_share_of_what_passed():
    lines = " ".join(shown(BAD, seconds=0.1, width=200))
    assert "200 ms, all threads together, went into opening them" in lines


def test_as_many_connections_are_owed_as_had_requests_at_once():
    threads = host("t.test", cause("first-use", 1, 0.1), cause("new-session", 19, 1.9), at_once=4)
    lines = " ".join(shown(threads, width=200))
    assert "20 connections opened, perfect reuse: 4" in lines
    assert "perfect reuse would have spared 1.6 s" in lines


def test_tries_without_an_answer_are_told():
    failed = host("down.test", requests=1, attempts=3, reused=0, errors={"SSLError": 3})
    assert shown(failed)[0] == (
        "https://down.test:443   1 request (3 on the wire), 0 connections opened, perfect"
    )
    assert "3 tries without an answer (SSLError)" in " ".join(shown(failed, width=200))


def test_what_was_left_open_is_told_with_its_place():
    lines = shown(FINE, left_open=2, left_at=["sync.py:6"])
    assert lines[-2].startswith("Left open at the end: 2 connections (Session made at sync.py:6)")


def test_a_log_tells_no_times_and_that_is_no_zero():
    log = host("log.test", cause("new-session", 2, None), seconds_opening=None)
    assert not any(" ms" in line or " s of" in line for line in shown(log, left_open=None))


def test_nothing_seen_is_said():
    assert shown()[0].startswith("No request of requests or urllib3 was seen")


def test_every_line_fits_80_columns():
    long = "word " * 40
    lines = shown(host("a" * 50, cause("new-session", 1234, evidence=long, cure=long)))
    assert max(map(len, lines)) <= 80
