from __future__ import annotations

import pytest

from keptalive.compare.host_patterns import host_pattern

API = "https://api.example.com:443"


@pytest.mark.parametrize(
    ("written", "host", "meant"),
    [
        ("api.example.com", API, True),
        ("API.Example.com", API, True),
        ("api.example.com.", API, True),
        ("api.example.com", "http://api.example.com:8080", True),
        ("api.example.com:443", API, True),
        ("api.example.com:8443", API, False),
        ("https://api.example.com", API, True),
        ("https://api.example.com/", "https://api.example.com:8443", False),
        ("http://api.example.com", API, False),
        ("example.com", API, False),
        ("*.example.com", API, True),
        ("*.example.com", "https://example.com:443", False),
        ("*.example.com", "https://badexample.com:443", False),
        ("*.example.com:80", API, False),
        ("*", API, True),
        ("*:443", API, True),
        ("127.0.0.1", "http://127.0.0.1:8000", True),
        ("[::1]:8000", "http://[::1]:8000", True),
        ("::1", "http://[::1]:8000", True),
        ("bücher.example", "https://xn--bcher-kva.example:443", True),
        ("unix:/run/api.sock", "unix:/run/api.sock", True),
        ("*", "unix:/run/api.sock", True),
        ("api", "unix:/run/api.sock", False),
    ],
)
def test_a_written_host_means_the_hosts_of_a_report_that_one_expects(written, host, meant):
    assert host_pattern(written).matches(host) is meant


@pytest.mark.parametrize(
    "written",
    ["", " ", "a b", "api.example.com/path", "user@api", "api:0", "api:70000", "api*", "ftp://api"],
)
def test_what_is_no_host_is_refused(written):
    with pytest.raises(ValueError, match=r"^a host such as api\.example\.com"):
        host_pattern(written)


def test_of_several_patterns_the_more_precise_one_counts():
    written = ["*", "*:443", "*.example.com", "api.example.com", "api.example.com:443"]
    precisions = [host_pattern(one).precision for one in written]
    assert precisions == sorted(precisions)
    assert len(set(precisions)) == len(precisions)
    assert [host_pattern(one).is_any for one in written] == [True, False, False, False, False]
