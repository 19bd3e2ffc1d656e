"""Records cross files as plain data, and no text in them escapes being changed."""

from __future__ import annotations

import json

import msgspec

from keptalive.records.connection import CloseReason, Connection, ConnectionEnd, OpeningFacts
from keptalive.records.counts import FailedAddress, HostCounts
from keptalive.records.plain import as_plain, with_texts
from keptalive.records.process import ProcessRecord

RECORD = ProcessRecord(
    process=7,
    started_ns=1_764_000_000_000_000_000,
    seconds=2.5,
    hosts=(
        HostCounts(
            host="https://a.test:443",
            errors={"ReadTimeout": 1},
            failed_addresses={"::1": FailedAddress(count=1, seconds=0.5, error="OSError")},
        ),
    ),
    connections=(
        Connection(
            id=1,
            process=7,
            thread=3,
            host="https://a.test:443",
            phases={"tls": 0.25},
            end=ConnectionEnd(how=CloseReason.FIN, idle_s=5.0),
            facts=OpeningFacts(session_location="sync.py:12"),
        ),
    ),
    warnings=("a sentence",),
)


def test_a_record_read_back_from_json_is_the_same_record():
    text = json.dumps(as_plain(RECORD))
    assert msgspec.convert(json.loads(text), ProcessRecord) == RECORD


def test_every_text_of_a_record_is_changed_and_nothing_else():
    changed = with_texts(RECORD, str.upper)
    assert changed == with_texts(changed, str.upper)
    assert changed.hosts[0].errors == {"READTIMEOUT": 1}
    assert changed.connections[0].facts.session_location == "SYNC.PY:12"
    assert changed.connections[0].end == RECORD.connections[0].end
    assert changed.warnings == ("A SENTENCE",)
