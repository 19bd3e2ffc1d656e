"""Reports made by hand, for tests of what is shown of them and of their JSON."""

from __future__ import annotations

from typing import Any

from keptalive.records.report import (
    Cause,
    ConnectionReport,
    EndReport,
    ExchangeColumns,
    Finding,
    HostReport,
    LostProcess,
    Range,
    Report,
    Spread,
)

FIRST_USE = Cause(cause="first-use", count=1, seconds=0.3)


def cause(name: str, count: int, seconds: float | None = 0.1, **more: Any) -> Cause:
    """A cause with evidence and a cure."""
    said = {"evidence": "Seen.", "cure": "Change this.", **more}
    return Cause(cause=name, count=count, seconds=seconds, **said)


def host(name: str, *causes: Cause, **numbers: Any) -> HostReport:
    """A route of which one connection would be enough, and as many were opened as have a cause."""
    opened = sum(one.count for one in causes)
    known = [one.seconds for one in causes if one.seconds is not None]
    seconds = sum(known) if known else None
    counts = {
        "requests": opened + 2,
        "attempts": opened + 2,
        "connects": opened,
        "opened": opened,
        "opened_unanswered": 0,
        "reopened": 0,
        "reused": 2,
        "unanswered": 0,
        "in_flight": 0,
        "perfect": Range(least=min(opened, 1), most=min(opened, 1)),
        "most_at_once": 1,
        "seconds_opening": seconds,
        "seconds_saved": None if seconds is None else seconds * (opened - 1) / max(opened, 1),
        "seconds_waiting_for_pool": 0.0,
        "seconds_lost": 0.0,
    }
    return HostReport(host=name, causes=causes, **{**counts, **numbers})


def whole() -> Report:
    """A report in which every field has a value, and every type appears."""
    route = host(
        "https://api.github.com:443",
        cause("idle-timeout", 1, 0.2, facts={"idle_s": [71.0], "at": None}, connections=(2,)),
        cause("dropped", 1, None, members=("idle-timeout", "server-closed"), unanswered=1),
        FIRST_USE,
        via="http://proxy.test:3128",
        origins=("http://a.test:80",),
        errors={"ReadTimeout": 1},
        phases={"tls": 0.1, "dns": 0.0},
        begun=4,
        discarded=2,
        pool_size=10,
        is_lower_bound=True,
        requests_per_connection=Spread(median=1.5, most=2.0),
        connection_lifetime_s=Spread(median=60.0, most=61.25),
    )
    connection = ConnectionReport(
        id=1,
        host="https://api.github.com:443",
        via="http://proxy.test:3128",
        process=4711,
        thread=140_234_567_890_123,
        local_port=40_000,
        attempted_s=0.0,
        connected_s=0.25,
        ended_s=61.5,
        phases={"tls": 0.1},
        served=2,
        cause="first-use",
        end=EndReport(how="FIN", idle_s=61.0, error="ReadTimeout"),
        where="sync.py:12",
    )
    exchanges = ExchangeColumns(
        connection=(1, 1),
        started_s=(0.25, 0.5),
        head_s=(0.375, None),
        released_s=(0.4, None),
        method=("GET", "POST"),
        path=("/a", "/b"),
        status=(200, None),
        thread=(140_234_567_890_123, 1),
        where=(0, None),
    )
    return Report(
        source="run",
        command=("python", "sync.py"),
        started_at="2026-11-26T04:25:11+00:00",
        seconds=940.0,
        environment={"python": "3.11.7", "urllib3": "2.7.0"},
        hosts=(route,),
        connections=(connection,),
        exchanges=exchanges,
        places=("sync.py:31",),
        findings=(Finding(finding="ca-bundle", host=None, evidence="It took 2 s.", seconds=2.0),),
        left_open=1,
        left_at=("sync.py:12",),
        lost=(LostProcess(process=4712, program="worker.py", seen=True),),
        warnings=("Something may be missing.",),
        doubts=("Something may be missing.",),
    )
