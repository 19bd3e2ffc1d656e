"""Hosts, files and paths get other names, the same everywhere; nothing else of a text changes."""

from __future__ import annotations

import pytest

from keptalive.anonymizing.pseudonyms import Pseudonyms
from keptalive.causes.catalogue import CATALOGUE
from keptalive.causes.libraries import LIBRARIES

SENTENCES = {
    "https://api.corp.test:8443 had closed it": "https://host1.example:8443 had closed it",
    "http://api:80/customers/acme?page=2": "http://host1.example:80/path1",
    "the proxy http://[hidden]@proxy.corp.test:3128.": (
        "the proxy http://[hidden]@host1.example:3128."
    ),
    "https://10.1.2.3:443 and https://[fe80::1]:443": (
        "https://192.0.2.1:443 and https://[2001:db8::1]:443"
    ),
    "tried at fe80::dead:beef first, then at 10.1.2.3.": (
        "tried at 2001:db8::1 first, then at 192.0.2.1."
    ),
    "unix:/var/run/corp.sock": "unix:file1.sock",
    "http+unix://%2Fvar%2Frun%2Fcorp:80": "http+unix://socket1:80",
    "CURL_CA_BUNDLE (/etc/corp.pem) replaced session.verify (ca/ca.pem) at corp/sync.py:10": (
        "CURL_CA_BUNDLE (file1.pem) replaced session.verify (file2.pem) at file3.py:10"
    ),
    "Sessions made at corp/api.py:31 (12), :40 (1).": "Sessions made at file1.py:31 (12), :40 (1).",
    r"at C:\Users\anna\a.py:4, ~/b.py:5": "at file1.py:4, file2.py:5",
    "through /home/anna/env/lib/python3.11/site-packages/spotipy/client.py:2": (
        "through spotipy/client.py:2"
    ),
    "Next: the folder /tmp/of-anna.": "Next: the folder /path1.",
    "(Caused by X(host='api', port=443))": "(Caused by X(host='host1.example', port=443))",
}
SAME = (
    "https://localhost:8000, http://127.0.0.1:80 and http://[::1]:80 were tried at ::1 first",
    "At 15:04:05 HTTP/1.1 and/or HTTP/2, urllib3 1.26.18, 3.0.13 0",
    "Read response.json(), then session.close(); see pyproject.toml",
    "spotipy/client.py:229, requests/api.py:59 (library), <stdin>:1",
)


@pytest.mark.parametrize("text", SENTENCES)
def test_what_names_somebody_gets_another_name(text):
    assert Pseudonyms().hide(text) == SENTENCES[text]


@pytest.mark.parametrize("text", SAME)
def test_what_names_nobody_stays(text):
    assert Pseudonyms().hide(text) == text


def test_no_advice_of_ours_changes():
    advice = [
        *(cure for library in LIBRARIES for cure in library.cures.values()),
        *(library.takes_session for library in LIBRARIES),
        *(row.cure({}) for row in CATALOGUE.values()),
        *(row.meaning for row in CATALOGUE.values()),
    ]
    names = Pseudonyms()
    assert advice == [names.hide(text) for text in advice]


def test_a_name_is_the_same_in_every_text():
    names = Pseudonyms()
    first = names.hide("https://b.test and https://a.test at x.py:1")
    assert first == "https://host1.example and https://host2.example at file1.py:1"
    assert names.hide("x.py:2 of https://A.test:443") == "file1.py:2 of https://host2.example:443"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "process 12 (/home/anna/sync.py, Python 3.11.7) left",
            "process 12 (file1.py, Python 3.11.7) left",
        ),
        ("process 12 (corp-sync, Python 3.11.7) left", "process 12 (program1, Python 3.11.7) left"),
        ("process 12 (ForkPoolWorker-1, Python 3.1)", "process 12 (ForkPoolWorker-1, Python 3.1)"),
        (
            "No X in 'corp.auth' (/opt/corp/auth.py), asked of vault.corp.test",
            "No X in 'package1' (file1.py), asked of package2",
        ),
        (
            'logging.getLogger("urllib3").setLevel(logging.DEBUG), keptalive.run',
            'logging.getLogger("urllib3").setLevel(logging.DEBUG), keptalive.run',
        ),
    ],
)
def test_in_a_warning_programs_and_dotted_names_get_others_too(text, shown):
    assert Pseudonyms().hide(text, warning=True) == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("/usr/bin/python3.11", "python3.11"),
        ("-m", "-m"),
        ("pytest", "pytest"),
        ("corp.sync", "program1"),
        ("/opt/corp/bin/corp-sync", "/path1"),
        ("./sync.py", "file1.py"),
        ("SyncWorker-1", "program1"),
        ("Process-2", "Process-2"),
    ],
)
def test_a_program_is_named_so_that_its_kind_can_be_seen(name, shown):
    assert Pseudonyms().program(name) == shown


def test_a_program_with_an_absolute_path_is_the_file_in_which_something_was_done():
    names = Pseudonyms()
    assert names.path("corp/sync.py:4") == "file1.py:4"
    assert names.program("/home/anna/corp/sync.py") == "file1.py"


def test_two_files_of_one_name_stay_two():
    names = Pseudonyms()
    assert [names.path(path) for path in ("client.py:1", "corp/client.py:1")] == [
        "file1.py:1",
        "file2.py:1",
    ]
