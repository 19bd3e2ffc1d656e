"""A report with a timeline, made by hand: three connections of two processes, six requests."""

from __future__ import annotations

import random
from dataclasses import replace

from tests.reports import cause, host

from keptalive.records.report import (
    ConnectionReport,
    EndReport,
    ExchangeColumns,
    Report,
)

API, CDN = "https://api.example.com:443", "https://cdn.example.com:443"
PHASES = {"dns": 0.01, "connect": 0.02, "ca_bundle": 0.03, "tls": 0.04}


def connection(id_: int, attempted_s: float | None, **more: object) -> ConnectionReport:
    """A connection that took 0.1 s to open."""
    values = {
        "host": API,
        "via": None,
        "process": 1,
        "thread": 7,
        "local_port": 40_000 + id_,
        "connected_s": None if attempted_s is None else attempted_s + 0.1,
        "ended_s": None,
        "phases": PHASES,
        "served": 2,
        "cause": "first-use",
        "end": None,
        "where": "sync.py:3",
    }
    return ConnectionReport(id=id_, attempted_s=attempted_s, **{**values, **more})


def exchanges(*rows: tuple[object, ...]) -> ExchangeColumns:
    """Columns of rows: connection, started, head, released, method, path, status, thread, where."""
    names = ("connection", "started_s", "head_s", "released_s")
    names += ("method", "path", "status", "thread", "where")
    return ExchangeColumns(**dict(zip(names, map(tuple, zip(*rows, strict=True)), strict=True)))


def timeline() -> Report:
    """Two connections one after the other, and one that was there before, of another process."""
    return Report(
        source="run",
        command=("sync.py",),
        started_at="2026-11-24T12:00:00.000+00:00",
        seconds=10.0,
        hosts=(
            host(
                API,
                cause("idle-timeout", 1, 0.1, connections=(2,)),
                cause("first-use", 1, 0.1, connections=(1,)),
                phases=PHASES,
            ),
            host(CDN),
        ),
        connections=(
            connection(
                1, 0.0, ended_s=5.0, end=EndReport(how="FIN", idle_s=3.0), where="sync.py:3"
            ),
            connection(2, 5.0, cause="idle-timeout", replaces=1, served=1, where="sync.py:9"),
            connection(3, None, host=CDN, process=2, thread=9, phases={}, cause=None, where=None),
        ),
        exchanges=exchanges(
            (1, 0.0, 0.3, 0.4, "GET", "/user", 200, 7, 0),
            (3, 0.5, 0.6, 0.7, "GET", "/logo", 304, 9, None),
            (1, 1.0, 1.5, 2.0, "GET", "/repos?page", 200, 7, 1),
            (3, 1.0, 1.1, 1.1, "GET", "/logo", 304, 9, None),
            (2, 4.9, 5.4, 5.5, "POST", "/user", 201, 7, 1),
            (2, 6.0, None, 7.0, "GET", "/user", None, 7, 0),
        ),
        places=("sync.py:3", "sync.py:9"),
    )


def large() -> Report:
    """100,000 requests: 2,000 connections with 50 each, of two processes."""
    chance = random.Random(7)
    connections, rows = [], []
    for number in range(1, 2001):
        begins_s = now_s = chance.random() * 600
        for _ in range(50):
            head_s = now_s + chance.random() * 0.2
            end_s = head_s + chance.random() * 0.05
            path = f"/repos/owner/name{chance.randrange(300)}"
            rows.append((number, now_s, head_s, end_s, "GET", path, 200, 7, 0))
            now_s = end_s + chance.random() * 0.3
        connections.append(connection(number, begins_s, ended_s=now_s, process=number % 2))
    rows.sort(key=lambda row: row[1])
    return replace(timeline(), connections=tuple(connections), exchanges=exchanges(*rows))
