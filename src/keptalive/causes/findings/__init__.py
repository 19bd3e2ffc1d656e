"""What is worth to be changed though it opens no connection: a module for each kind of finding.

A new finding is a function in one of these modules, and its name in one of the four lists here;
a row in `catalogue` says what was seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from keptalive.causes.findings.bundle import ca_bundle
from keptalive.causes.findings.elsewhere import mocked, unwatched_clients, unwatched_urllib3
from keptalive.causes.findings.environment import bundle, http2
from keptalive.causes.findings.failures import addresses, retries
from keptalive.causes.findings.pools import full_pool, waiting
from keptalive.causes.findings.processes import after_fork, short_lived
from keptalive.causes.findings.responses import delayed_ack
from keptalive.causes.findings.secrets import credentials, leaked, unverified
from keptalive.causes.findings.tuned import tuned
from keptalive.causes.rules import Judged
from keptalive.records.counts import HostCounts
from keptalive.records.process import Circumstance, ProcessRecord
from keptalive.records.report import Finding, HostReport

OfRoute = Callable[[HostReport, HostCounts], Iterator[Finding]]
OfOpenings = Callable[[Sequence[HostReport], Sequence[Judged]], Iterator[Finding]]
OfProcesses = Callable[[Sequence[ProcessRecord]], Iterator[Finding]]
OfProgram = Callable[[Sequence[HostReport], Sequence[Circumstance]], Iterator[Finding]]

OF_ROUTES: tuple[OfRoute, ...] = (
    credentials,
    unverified,
    leaked,
    addresses,
    retries,
    waiting,
    full_pool,
    delayed_ack,
)
OF_OPENINGS: tuple[OfOpenings, ...] = (ca_bundle,)
OF_PROGRAMS: tuple[OfProgram, ...] = (
    mocked,
    unwatched_urllib3,
    unwatched_clients,
    bundle,
    http2,
    tuned,
)
OF_PROCESSES: tuple[OfProcesses, ...] = (after_fork, short_lived)


def findings_of(host: HostReport, counts: HostCounts) -> tuple[Finding, ...]:
    """The findings of one route, from its report and from its counts over all processes."""
    return tuple(finding for rule in OF_ROUTES for finding in rule(host, counts))


def findings_of_openings(
    hosts: Sequence[HostReport], judged: Sequence[Judged]
) -> tuple[Finding, ...]:
    """The findings that all connections show together, over all routes and processes."""
    return tuple(finding for rule in OF_OPENINGS for finding in rule(hosts, judged))


def findings_of_program(
    hosts: Sequence[HostReport], circumstances: Iterable[Circumstance]
) -> tuple[Finding, ...]:
    """The findings of a whole program, from its routes and what all its processes noted."""
    noted = tuple(circumstances)
    return tuple(finding for rule in OF_PROGRAMS for finding in rule(hosts, noted))


def findings_of_processes(records: Sequence[ProcessRecord]) -> tuple[Finding, ...]:
    """What the processes of a program have to do with each other."""
    return tuple(finding for rule in OF_PROCESSES for finding in rule(records))
