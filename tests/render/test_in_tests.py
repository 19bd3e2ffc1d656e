from __future__ import annotations

import pytest

from keptalive.compare.limits import Limit
from keptalive.render.in_tests import refusal


def report(*opened: int, warnings: tuple[str, ...] = ()) -> dict:
    """Hosts a, b, c..., each of which so many connections were opened to for the same reasons."""
    row = {"cause": "idle-timeout", "seconds": 0.1, "evidence": "It was found closed.", "cure": "x"}
    return {
        "hosts": [
            {"host": f"http://{name}:80", "opened": number, "causes": [{**row, "count": number}]}
            for name, number in zip("abcdef", opened, strict=False)
        ],
        "warnings": warnings,
    }


@pytest.mark.parametrize(
    ("limit", "opened", "headline"),
    [
        (Limit(at_most=1), (2,), "opened 2 connections to http://a:80, at most 1 allowed"),
        (Limit(at_most=1), (1, 2), "opened 3 connections to 2 hosts, at most 1 allowed"),
        (
            Limit(at_most=1, per_host=True),
            (1, 3, 2),
            (
                "opened 3 connections to http://b:80, 2 connections to http://c:80, "
                "at most 1 a host allowed"
            ),
        ),
        (
            Limit(exactly=0, per_host=True),
            (1, 1, 1, 1, 1),
            (
                "opened 1 connection to http://a:80, 1 connection to http://b:80, "
                "1 connection to http://c:80, and to 2 more hosts, exactly 0 a host expected"
            ),
        ),
    ],
)
def test_the_first_line_says_how_many_went_where_and_how_many_may(limit, opened, headline):
    assert headline == refusal(limit, report(*opened)).splitlines()[0]


def test_several_hosts_are_told_apart_and_warnings_come_last():
    shown = refusal(Limit(at_most=1), report(1, 2, warnings=("Credentials were " + "sent " * 20,)))
    assert shown.splitlines() == [
        "opened 3 connections to 2 hosts, at most 1 allowed",
        "http://a:80: 1 connection",
        "1 × idle-timeout: the server closes connections that are unused",
        "  It was found closed.",
        "  x",
        "http://b:80: 2 connections",
        "2 × idle-timeout: the server closes connections that are unused",
        "  It was found closed.",
        "  x",
        "! Credentials were sent sent sent sent sent sent sent sent sent sent",
        "  sent sent sent sent sent sent sent sent sent sent",
    ]
