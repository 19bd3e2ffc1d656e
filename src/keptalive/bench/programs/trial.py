"""One run of a program as a trial of the benchmark: a single call, the program itself. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from keptalive.bench.programs import within
from keptalive.bench.rounds import Turn
from keptalive.causes.findings.elsewhere import MOCKED
from keptalive.records.counts import HostCounts, total
from keptalive.records.process import ProcessRecord
from keptalive.records.report import Report
from keptalive.records.run import Trial, Witnesses
from keptalive.run.collect import Ran

_SOCKETLESS = "unix:"  # a route that no TCP socket leads to
_CONNECTIONS_KEPT = 200  # of a trace: enough to say where


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepts:
    """How many connections the test server accepted meanwhile, and by which name it was reached."""

    url: str
    count: int


def trial_of(turn: Turn, ran: Ran, report: Report, accepts: Accepts | None) -> Trial:
    """The trial that this run of a program was.

    Its only call is the program, so that a "request" of it is a run. `HostCounts` has the requests
    of the program, all hosts together; failed ones are no error of the trial, since the program
    has ended well.

    Args:
        turn: whose it is.
        ran: the program that has ended.
        report: what was made of its records.
        accepts: what the test server has counted; None without one.
    """
    counts = total(host for record in ran.records for host in record.hosts)
    return Trial(
        scenario=turn.scenario,
        strategy=turn.name,
        round=turn.round,
        warm_up=turn.round == 0,
        counts=HostCounts(
            requests=counts.requests,
            connects=counts.connects,
            opened=counts.opened,
            opened_unanswered=counts.opened_unanswered,
            reopened=counts.reopened,
            reused=counts.reused,
            unanswered=counts.unanswered,
            in_flight=counts.in_flight,
            most_at_once=sum(host.perfect.most for host in report.hosts if host.perfect),
            seconds_opening=counts.seconds_opening,
        ),
        witnesses=_witnesses(ran, accepts),
        seconds=ran.seconds,
        cpu_seconds=ran.cpu_seconds,
        request_seconds=(ran.seconds,),
    )


def _witnesses(ran: Ran, accepts: Accepts | None) -> Witnesses:
    """What each of them counted; None where one cannot know what the watch knows."""
    is_mocked = any(one.kind == MOCKED for record in ran.records for one in record.circumstances)
    return Witnesses(
        # an answer of a mock has its line in the log too
        pool_log=None if is_mocked else _witnessed(ran.records, within.POOL_LOG),
        sockets=_witnessed(ran.records, within.SOCKETS),
        server=accepts.count if accepts else None,
    )


def _witnessed(records: Iterable[ProcessRecord], name: str) -> int | None:
    """What all processes together counted; None if one with connections cannot know it."""
    counts = [record.witnessed.get(name) for record in records if record.hosts]
    return None if None in counts else sum(count or 0 for count in counts)


def disagreement(trial: Trial, ran: Ran, accepts: Accepts | None) -> str | None:
    """In what the witnesses differ from the watch, in words; None if they agree.

    A process without a report has nothing to compare, nor has one that still waited for a
    response.
    """
    if ran.processes_without_report or trial.counts.in_flight:
        return None
    tcp = _by_tcp(ran.records)
    opened = sum(host.opened or 0 for host in tcp)
    connected = opened + sum(host.opened_unanswered or 0 for host in tcp)
    said = trial.witnesses
    expected = {
        "pool log": (said.pool_log, trial.counts.opened),
        "sockets": (said.sockets, connected),
        "server": (said.server, _connected_to(accepts, tcp)),
    }
    if all(count in (None, watched) for count, watched in expected.values()):
        return None
    listed = [f"{name} {count}" for name, (count, _) in expected.items() if count is not None]
    return ", ".join([f"watch {trial.counts.opened}", *listed])


def _by_tcp(records: Iterable[ProcessRecord]) -> list[HostCounts]:
    hosts = [host for record in records for host in record.hosts]
    return [host for host in hosts if not host.host.startswith(_SOCKETLESS)]


def _connected_to(accepts: Accepts | None, hosts: Sequence[HostCounts]) -> int | None:
    if accepts is None:
        return None
    port = accepts.url.rpartition(":")[2]
    mine = [host for host in hosts if host.host.rpartition(":")[2] == port]
    return sum((host.opened or 0) + (host.opened_unanswered or 0) for host in mine)


def without_most_connections(report: Report) -> Report:
    """The report with its first connections, for a file that has several of them."""
    return replace(report, connections=report.connections[:_CONNECTIONS_KEPT])
