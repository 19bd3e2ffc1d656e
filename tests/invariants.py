"""What must be true of every report, whoever made it; each only where all its terms are known."""

from __future__ import annotations

from keptalive.records.report import FAILURES, UNAVOIDABLE, HostReport, Report


def check(report: Report) -> None:
    """Fail if the report contradicts itself."""
    ids = [connection.id for connection in report.connections]
    assert len(ids) == len(set(ids)), "two connections have the same id"
    for host in report.hosts:
        _check_counts(host)
        _check_perfect(host, is_window=report.window_s is not None)
        _check_causes(host)
        for cause in host.causes:
            assert set(cause.connections) <= set(ids), f"{cause.cause}: an id is not listed"
    _check_exchanges(report, set(ids))


def _check_counts(host: HostReport) -> None:
    parts = (host.opened, host.reused, host.unanswered, host.in_flight)
    if host.attempts is not None and None not in parts:
        assert sum(part for part in parts if part is not None) == host.attempts, host
    if host.opened is not None and host.reopened is not None:
        assert host.reopened <= host.opened, host


def _check_perfect(host: HostReport, *, is_window: bool) -> None:
    if host.perfect is None:
        return
    assert host.perfect.least <= host.perfect.most, host
    if host.opened is not None:
        assert host.perfect.most <= host.opened, host
        # what was opened before a window may have been enough for all that happened in it
        assert is_window or host.perfect.least >= min(1, host.opened), host
    if host.seconds_saved is not None and host.seconds_opening is not None:
        assert 0 <= host.seconds_saved <= host.seconds_opening + 1e-6, host


def _check_causes(host: HostReport) -> None:
    counts = [cause.count for cause in host.causes]
    assert min(counts, default=0) >= 0, host
    if host.opened is not None:
        assert sum(counts) == host.opened, host
    if host.opened_unanswered is not None:
        assert sum(cause.unanswered for cause in host.causes) == host.opened_unanswered, host
    if host.perfect is not None:
        unavoidable = sum(cause.count for cause in host.causes if cause.cause in UNAVOIDABLE)
        assert unavoidable <= host.perfect.most, host
        if host.opened == host.perfect.least:
            others = [cause for cause in host.causes if cause.cause not in FAILURES]
            assert not any(cause.cure for cause in others), "a cure, and nothing to be saved"


def _check_exchanges(report: Report, ids: set[int]) -> None:
    columns = report.exchanges
    if columns is None:
        return
    lengths = {len(getattr(columns, name)) for name in columns.__slots__}
    assert len(lengths) == 1, "columns of different lengths"
    assert list(columns.started_s) == sorted(columns.started_s)
    places = {place for place in columns.where if place is not None}
    assert places <= set(range(len(report.places)))
    if len(ids) == sum((host.connects or 0) for host in report.hosts):  # all of them are listed
        assert set(columns.connection) <= ids
