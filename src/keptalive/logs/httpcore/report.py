"""What httpcore's and httpx's lines show, added to the report of a log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from keptalive.causes.log_sets import SETS
from keptalive.logs.httpcore.accounting import HttpcoreLedger
from keptalive.logs.httpcore.host import HttpcoreHost, report_of
from keptalive.logs.report import iso
from keptalive.records.report import Cause, HostReport, Range, Report

HOW_TO_LOG = (
    'To see more: logging.getLogger("httpcore").setLevel("DEBUG") (httpx2: "httpcore2") where the '
    "program sets up its logging."
)
CANNOT_HTTPX = (
    "The log does not show which of several causes it was. keptalive run does not watch httpx."
)


def with_httpcore(
    report: Report, ledger: HttpcoreLedger, *, knows_zone: bool, began_late: bool
) -> Report:
    """The report with the routes of httpx's clients.

    Args:
        report: what the rest of the log shows.
        ledger: what was counted; its `HttpcoreLedger.finish` is called.
        knows_zone: the log's times have a zone.
        began_late: httpx's first lines may have been passed over.
    """
    ledger.finish()
    shown = [host for host in ledger.routes.all if _is_shown(host)]
    hosts = [
        report_of(
            host,
            perfect=ledger.perfect(host),
            most_at_once=ledger.most_at_once(host),
            timed=ledger.has_parts,
        )
        for host in shown
    ]
    hosts += [_responses_only(*one) for one in ledger.routes.responses_only.items()]
    together = _by_route([*report.hosts, *hosts])
    first_s, last_s = ledger.first_s, ledger.last_s
    lasted = None if first_s is None or last_s is None else max(last_s - first_s, 0.0)
    warnings = [*report.warnings, *_warnings(ledger, shown, began_late=began_late)]
    return replace(
        report,
        hosts=tuple(sorted(together, key=_most_opened_first)),
        started_at=report.started_at or (iso(first_s) if first_s and knows_zone else None),
        seconds=lasted if report.seconds is None else max(report.seconds, lasted or 0.0),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _is_shown(host: HttpcoreHost) -> bool:
    return bool(host.requests or host.connects > 0)


def _most_opened_first(host: HostReport) -> tuple[float, int, int, str]:
    return -(host.seconds_opening or 0.0), -(host.opened or 0), -(host.requests or 0), host.host


def _responses_only(name: str, responses: int) -> HostReport:
    """A host of which the log has no more than httpx's own lines."""
    return HostReport(
        host=name,
        requests=responses,
        attempts=None,
        connects=None,
        opened=None,
        opened_unanswered=None,
        reopened=None,
        reused=None,
        unanswered=None,
        in_flight=None,
        perfect=None,
        most_at_once=None,
        seconds_opening=None,
        seconds_saved=None,
        seconds_waiting_for_pool=None,
        seconds_lost=None,
    )


# -- A log of both urllib3 and httpx -------------------------------------------------------------


def _by_route(hosts: Iterable[HostReport]) -> list[HostReport]:
    """One entry for each route: connections of urllib3's pools and of httpx's are not shared."""
    routes: dict[tuple[str, str | None], HostReport] = {}
    for host in hosts:
        route = host.host, host.via
        routes[route] = _both(routes[route], host) if route in routes else host
    return list(routes.values())


_SUMS = (
    *("requests", "attempts", "connects", "opened", "opened_unanswered", "reopened", "reused"),
    *("unanswered", "in_flight", "most_at_once", "seconds_opening", "seconds_saved"),
    "seconds_lost",
)


def _both(one: HostReport, other: HostReport) -> HostReport:
    sums: dict[str, Any] = {}
    for name in _SUMS:
        values = getattr(one, name), getattr(other, name)
        sums[name] = None if None in values else sum(values)
    perfect = None
    if one.perfect is not None and other.perfect is not None:
        perfect = Range(
            least=one.perfect.least + other.perfect.least,
            most=one.perfect.most + other.perfect.most,
        )
    errors = Counter(one.errors) + Counter(other.errors)
    phases = Counter(one.phases) + Counter(other.phases)
    return replace(
        one,
        **sums,
        origins=tuple(dict.fromkeys((*one.origins, *other.origins))),
        perfect=perfect,
        errors=errors,
        phases=phases if sums["seconds_opening"] is not None else {},
        causes=_all_causes([*one.causes, *other.causes]),
    )


def _all_causes(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    names: dict[str, Cause] = {}
    for cause in causes:
        same = names.get(cause.cause)
        if same is None:
            names[cause.cause] = cause
            continue
        both = same.seconds, cause.seconds
        names[cause.cause] = replace(
            same,
            count=same.count + cause.count,
            unanswered=same.unanswered + cause.unanswered,
            seconds=None if None in both else sum(filter(None, both)),
        )
    return tuple(names.values())


# -- What limits the truth of it -----------------------------------------------------------------


def _warnings(
    ledger: HttpcoreLedger, hosts: Iterable[HttpcoreHost], *, began_late: bool
) -> Iterator[str]:
    routes = ledger.routes
    if routes.responses_only:
        yield (
            "httpx's own lines name responses only: how many connections were opened, and why, is "
            f"not in them. {HOW_TO_LOG}"
        )
    unsure = sum(host.unsure for host in hosts) + routes.unplaced
    if unsure:
        yield (
            f"Responses on kept connections of which the log does not name the host: {unsure}. "
            'logging.getLogger("httpx").setLevel("INFO") adds a line that does.'
        )
    if began_late:
        yield "httpx's lines begin late in this log: some before the first may have been missed."
    if any(cause in SETS for host in hosts for cause in host.causes):
        yield CANNOT_HTTPX
