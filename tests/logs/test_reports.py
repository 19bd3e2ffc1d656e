"""What the report of a log says beside counts: times, what is missing, words."""

from __future__ import annotations

from tests.logs.ledgers import (
    answer,
    finished,
    only_cause,
    origin,
    report,
    reset,
    start,
    timed,
)

from keptalive.causes.catalogue import CATALOGUE
from keptalive.causes.log_sets import SETS, members_of
from keptalive.logs.accounting import LogLedger
from keptalive.logs.report import CANNOT

# -- What the times show -------------------------------------------------------------------------


def test_a_lone_connections_idle_time_is_shown_and_what_survived():
    cause = only_cause(
        timed(
            (0, start()),
            (1, answer()),
            (58, answer()),
            (129, reset()),
            (130, answer()),
            (190.2, reset()),
            (191, answer()),
        ),
        "dropped",
    )
    assert cause.evidence == (
        "Idle for 60.2 to 71.0 s; a kept connection still worked after 57.0 s."
    )
    assert cause.facts == {
        "idle_s": {"least": 60.2, "most": 71.0},
        "idle_is_least": False,
        "survived_s": 57,
    }
    assert cause.cure == (
        "If the server closes idle connections: tuned_session() learns when; this avoids errors, "
        "not the new handshake."
    )


def test_of_several_connections_only_the_least_idle_time_is_known():
    cause = only_cause(
        timed(
            (0, start()),
            (0, start(2, thread=2)),
            (1, answer()),
            (2, answer(thread=2)),
            (40, answer()),
            (70, reset(thread=2)),
            (71, answer(thread=2)),
        ),
        "dropped",
    )
    assert cause.evidence == "Idle for at least 30.0 s."


def test_a_log_that_begins_later_than_its_connections_does_not_know_that_there_is_only_one():
    events = [(0, answer()), (5, answer()), (30, reset()), (31, answer())]
    cause = only_cause(timed(*events), "dropped")
    assert cause.evidence == "Idle for at least 25.0 s."


def test_a_connection_that_is_dropped_at_once_was_not_idle_for_too_long():
    events = [(0, start()), (1, answer()), (1.1, answer()), (1.2, reset()), (1.3, answer())]
    cause = only_cause(timed(*events), "dropped-at-once")
    assert "idle-timeout" not in members_of(cause.cause)
    assert "idle-timeout" in SETS["dropped"].members
    assert cause.evidence == "Responses on each: 2."


def test_without_times_nothing_is_said_of_them():
    found = report(start(), answer(), reset(), answer())
    assert (only_cause(found, "dropped").evidence, found.seconds) == ("", None)


def test_a_report_lasts_from_the_first_event_to_the_last_and_begins_where_a_zone_is_known():
    ledger = LogLedger()
    ledger.record([(event, 1e9 + at_s, origin()) for at_s, event in ((0, start()), (9, answer()))])
    zoned = finished(ledger, knows_zone=True)
    assert (zoned.seconds, zoned.started_at) == (9, "2001-09-09T01:46:40.000+00:00")
    assert finished(ledger).started_at is None


# -- Words ---------------------------------------------------------------------------------------


def test_every_set_has_causes_that_there_are():
    for name, remaining in SETS.items():
        assert set(remaining.members) <= set(CATALOGUE)
        assert name not in CATALOGUE


def test_what_a_log_cannot_show_is_said_once_and_only_where_it_matters():
    assert report(start(), answer()).warnings == ()
    assert report(start(), answer(), start(), answer(), reset(), answer()).warnings == (CANNOT,)
