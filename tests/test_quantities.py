from __future__ import annotations

import pytest

from keptalive.quantities import duration, host_name, listed, many, number


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.0 ms"),
        (0.0042, "4.2 ms"),
        (0.00996, "10 ms"),
        (0.29, "290 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (3.84, "3.8 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min"),
        (61, "1 min 1 s"),
        (940, "15 min 40 s"),
        (3599.6, "1 h"),
        (7500, "2 h 5 min"),
    ],
)
def test_a_duration_has_the_unit_that_suits_it(seconds, text):
    assert duration(seconds) == text


def test_a_number_and_its_noun_agree():
    counted = [many(1, "try"), many(2, "try"), many(0, "more host"), many(1_234_567, "line")]
    assert [many(1, "process"), many(2, "process")] == ["1 process", "2 processes"]
    assert counted == ["1 try", "2 tries", "0 more hosts", "1\u202f234\u202f567 lines"]
    assert number(1234) == "1\u202f234"


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("https://api.github.com:443", "https://api.github.com"),
        ("http://[::1]:80", "http://[::1]"),
        ("http://a:443", "http://a:443"),
        ("https://a:8443", "https://a:8443"),
        ("unix:/run/docker.sock", "unix:/run/docker.sock"),
    ],
)
def test_a_host_is_shown_without_the_port_of_its_scheme(host, name):
    assert host_name(host) == name


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c"], "a, b and c"),
        (["a", "b", "c", "d", "e"], "a, b, c and 2 more"),
    ],
)
def test_a_list_names_three_and_counts_the_others(names, text):
    assert listed(names) == text
