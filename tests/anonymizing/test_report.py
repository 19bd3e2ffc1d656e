"""A report for a public issue has the same numbers, and no name of anybody's anywhere."""

from __future__ import annotations

from dataclasses import replace

from tests.reports import cause, host, whole

from keptalive.anonymizing.report import SAID, Anonymizer, anonymized
from keptalive.records.report import ConnectionReport, Finding, LostProcess, Report
from keptalive.results.reports import as_dict, to_json

WHERE = "corp/sync.py:12"


def connection(number: int, host: str, where: str) -> ConnectionReport:
    return replace(whole().connections[0], id=number, host=host, where=where, via=None)


SECRET = Report(
    source="run",
    command=("/usr/bin/python3", "corp/sync.py"),
    environment={"python": "3.11.7", "executable": "/srv/corp/bin/python3.11"},
    hosts=(
        host(
            "https://billing.corp.test:443",
            cause(
                "new-session",
                2,
                facts={"sessions_at": {WHERE: 2}, "proxy": "http://proxy.corp.test:3128"},
                evidence=f"Sessions made at {WHERE} (2); billing.corp.test, proxy.corp.test.",
                cure="Ask billing.corp.test less often.",
            ),
            origins=("http://crm.corp.test:80",),
        ),
    ),
    connections=(
        connection(1, "http://crm:80", "corp/sync.py:12 (Session)"),
        connection(2, "https://billing.corp.test:443", "corpclient/api.py:4 (library)"),
    ),
    exchanges=replace(
        whole().exchanges,  # type: ignore[type-var]
        path=("/customers/acme", "/"),
    ),
    places=("corp/sync.py:31",),
    findings=(
        Finding(
            finding="unwatched-urllib3",
            host=None,
            facts={"package": "corp._vendor.urllib3", "hosts": {"https://vault.corp.test:443": 1}},
            evidence="corp._vendor.urllib3 was used: 1 connection to https://vault.corp.test:443.",
            cure='Its debug log (logger "corp._vendor.urllib3.connectionpool").',
        ),
        Finding(
            finding="tuned-run",
            host=None,
            facts={
                "adapters": 1,
                "left_alone": {"corp.http.PinnedAdapter": ["a class of its own"]},
            },
            evidence="Left alone: corp.http.PinnedAdapter (a class of its own).",
        ),
    ),
    left_at=(WHERE,),
    unclosed_at={WHERE: 1},
    lost=(LostProcess(process=9, program="/srv/corp/sync.py", seen=True),),
    warnings=(
        "process 9 (/srv/corp/sync.py, Python 3.11.7) left without a report",
        "ImportError: no X in 'corp.auth' (/srv/corp/auth.py), host='crm'",
    ),
    doubts=("corp.urllib3.connection is not counted: TypeError",),
)


def test_nothing_that_names_somebody_is_in_it():
    text = to_json(anonymized(SECRET))
    assert [
        word for word in ("corp", "crm", "billing", "vault", "acme", "srv") if word in text
    ] == []


def test_causes_remain_readable_since_one_thing_has_one_name():
    report = anonymized(SECRET)
    (route,) = report.hosts
    (reason,) = route.causes
    assert report.command == ("python3", "file1.py")
    assert report.environment == {"python": "3.11.7", "executable": "python3.11"}
    assert [one.host for one in report.connections] == [
        "http://host1.example:80",  # the first that was connected to
        "https://host2.example:443",
    ]
    assert (route.host, route.origins) == (
        "https://host2.example:443",
        ("http://host3.example:80",),
    )
    assert reason.cause == "new-session"
    assert reason.facts["sessions_at"] == {"file1.py:12": 2}
    assert reason.evidence == "Sessions made at file1.py:12 (2); host2.example, host5.example."
    assert [one.where for one in report.connections] == [
        "file1.py:12 (Session)",
        "file2.py:4 (library)",
    ]
    assert (report.places, report.left_at) == (("file1.py:31",), ("file1.py:12",))
    assert report.unclosed_at == {"file1.py:12": 1}
    assert report.lost[0].program == "file1.py"
    assert report.exchanges is not None
    assert report.exchanges.path == ("/path1", "/")
    vendored, tuned = report.findings
    assert tuned.facts["left_alone"] == {"Class1": ["a class of its own"]}
    assert tuned.evidence == "Left alone: Class1 (a class of its own)."
    assert vendored.cure == 'Its debug log (logger "package1.connectionpool").'
    assert report.warnings[-1] == SAID


def test_numbers_and_names_of_the_field_are_as_they_were():
    before, after = as_dict(whole()), as_dict(anonymized(whole()))
    for key in ("environment", "seconds", "started_at", "source"):
        assert before[key] == after[key]
    for one, other in zip(before["hosts"], after["hosts"], strict=True):
        names = {"host", "via", "origins", "causes"}
        assert {k: one[k] for k in one.keys() - names} == {k: other[k] for k in one.keys() - names}
        assert [c["cause"] for c in one["causes"]] == [c["cause"] for c in other["causes"]]
        assert [c["facts"] for c in one["causes"]] == [c["facts"] for c in other["causes"]]


def test_it_is_the_same_each_time_and_twice_changes_no_name():
    once = anonymized(SECRET)
    assert once == anonymized(SECRET)
    again = anonymized(once)
    assert [one.host for one in again.connections] == [one.host for one in once.connections]


def test_a_sentence_about_the_report_has_its_names():
    said = Anonymizer(SECRET).text("billing.corp.test opened 2 connections at corp/sync.py:12.")
    assert said == "host2.example opened 2 connections at file1.py:12."
