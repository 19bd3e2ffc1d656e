"""Random programs in a model of pools that knows the truth: reports must agree with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.causes.model import Program, Socket
from tests.causes.records import reported
from tests.invariants import check

from keptalive.causes.catalogue import CATALOGUE
from keptalive.records.connection import CloseReason
from keptalive.records.report import UNAVOIDABLE, Report

Step = Callable[[Program], None]
FLOWS, SESSIONS = st.integers(0, 3), st.integers(0, 2)
SIZES = st.lists(st.integers(1, 4), min_size=1, max_size=3)
DEATHS = {
    CloseReason.FIN: {"idle-timeout", "server-closed", "request-limit"},
    CloseReason.TLS_CLOSE: {"idle-timeout", "server-closed", "request-limit"},
    CloseReason.RST: {"server-reset"},
    CloseReason.TIMEOUT_408: {"timeout-408"},
    CloseReason.STRAY_BYTES: {"stray-bytes"},
    CloseReason.REPLACED: {"max-idle"},
}
ENDS = {
    **DEATHS,
    CloseReason.CLOSE_ANNOUNCED: {"close-announced"},
    CloseReason.CLOSED_UNREAD: {"abandoned-body"},
    CloseReason.NEVER_READ: {"unread-body"},
    CloseReason.FAILED: {"failed-request"},
}


def step(name: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    """A call of this method of a `Program`."""
    return st.tuples(*arguments).map(
        lambda values: lambda program: getattr(program, name)(*values)  # type: ignore[no-any-return]
    )


START, FINISH = step("start", FLOWS, SESSIONS), step("finish", FLOWS)
STEPS = st.one_of(
    *(START, START, START, FINISH, FINISH),
    *(step(name, FLOWS) for name in ("finish_last", "hold", "fail", "refuse")),
    *(step(name, FLOWS) for name in ("read_held", "close_held", "drop_held")),
    *(step(name, SESSIONS) for name in ("close", "renew")),
    step("die", SESSIONS, st.sampled_from(list(DEATHS))),
    step("wait", st.sampled_from([0.2, 1.0, 5.0, 60.0])),
)


def run(
    sizes: list[int], steps: list[Step], number: int = 1, before: list[Step] | None = None
) -> Program:
    """A program that has done all that; what it did before is not seen."""
    program = Program(sizes, number)
    for one in before or ():
        one(program)
    program.begin_watch()
    for one in steps:
        one(program)
    return program


def lists_of(steps: st.SearchStrategy[Step]) -> st.SearchStrategy[list[Step]]:
    """Short lists, which shrink well, and long ones, in which something happens."""
    return st.one_of(st.lists(steps, max_size=8), st.lists(steps, min_size=20, max_size=60))


def programs(number: int = 1, steps: st.SearchStrategy[Step] = STEPS) -> Any:
    return st.builds(run, SIZES, lists_of(steps), st.just(number))


def programs_watched_late(number: int = 1, steps: st.SearchStrategy[Step] = STEPS) -> Any:
    several = lists_of(steps)
    return st.builds(run, SIZES, several, st.just(number), several)


def judged(*several: Program) -> tuple[Report, list[tuple[Socket, str | None]]]:
    """The report, and of each process's connections the model's and the judge's word."""
    report = reported(*(program.record() for program in several))
    causes: dict[tuple[int, float], str | None] = {
        (one.process, one.attempted_s): one.cause
        for one in report.connections
        if one.attempted_s is not None
    }
    return report, [
        (socket, causes[program.number, socket.attempted_s])
        for program in several
        for socket in program.opened
    ]


@given(programs(1), programs_watched_late(2))
@settings(max_examples=150)
def test_a_report_never_contradicts_itself(first, second):
    check(judged(first, second)[0])


@given(programs(1), programs_watched_late(2))
@settings(max_examples=100)
def test_the_counts_and_perfect_reuse_are_the_models(first, second):
    report, _ = judged(first, second)
    if not report.hosts:
        return
    (host,) = report.hosts
    assert host.attempts == first.starts + second.starts
    assert host.perfect is not None
    assert host.perfect.least == host.perfect.most == first.perfect + second.perfect


def connected_before(socket: Socket) -> Socket | None:
    """The predecessor, if it was ever connected; those that were not are passed over."""
    before = socket.replaces
    while before is not None and not before.connected:
        before = before.replaces
    return before


@given(programs())
@settings(max_examples=100)
def test_each_cause_is_true_of_the_model(program):
    _, found = judged(program)
    answered, unavoidable = False, 0
    for socket, cause in found:
        before = connected_before(socket)
        if not socket.connected:
            assert cause is None
        elif (
            before is not None
            and before.end is not None
            and before.end.how in ENDS
            and (answered or before.served)
        ):
            assert cause in ENDS[before.end.how]
        elif not answered:
            assert cause == "first-use"
        else:
            assert cause in {"concurrency", *socket.truth}, (socket.facts, cause)
        if cause in UNAVOIDABLE and socket.served:
            unavoidable += 1
        assert unavoidable <= socket.facts.most_at_once
        answered = answered or socket.served > 0


@given(programs_watched_late())
@settings(max_examples=150)
def test_each_cause_is_true_of_the_model_whenever_the_watch_began(program):
    _, found = judged(program)
    answered, unavoidable = False, 0
    owners: set[int] = set()  # with a pool that began within the watch
    for socket, cause in found:
        before = connected_before(socket)
        was_used = before is not None and (before.served or before.id <= program.watched_from)
        if not socket.connected:
            assert cause is None
        elif before and before.end and before.end.how in ENDS and (answered or was_used):
            assert cause in ENDS[before.end.how]
        else:
            at_first = set() if answered else {"first-use", "unknown"}
            is_older = not socket.facts.pool_is_new and socket.facts.owner not in owners
            older = {"unknown"} if is_older else set()
            assert cause in {"concurrency", *socket.truth, *at_first, *older}, (socket.facts, cause)
        if socket.facts.pool_is_new:
            owners.add(socket.facts.owner)
        unavoidable += cause in UNAVOIDABLE and socket.served > 0
        assert unavoidable <= socket.facts.most_at_once
        answered = answered or socket.served > 0


@given(lists_of(st.one_of(START, FINISH)), st.integers(4, 6))
@settings(max_examples=100)
def test_threads_that_share_one_session_of_their_size_open_what_they_need(steps, size):
    report, found = judged(run([size], steps))
    check(report)
    assert {cause for socket, cause in found if socket.served} <= set(UNAVOIDABLE)
    for host in report.hosts:
        assert host.perfect is not None
        assert host.opened == host.perfect.most


ALONE = st.just(0)
ALL_ALONE = st.one_of(
    *(step("start", ALONE, SESSIONS), step("start", ALONE, SESSIONS), step("finish", ALONE)),
    *(step(name, ALONE) for name in ("finish_last", "hold", "read_held", "close_held")),
    *(step(name, ALONE) for name in ("drop_held", "fail")),
    *(step(name, SESSIONS) for name in ("close", "renew")),
    step("die", SESSIONS, st.sampled_from(list(DEATHS))),
)


@given(programs(steps=ALL_ALONE))
@settings(max_examples=150)
def test_a_single_thread_needs_one_connection_and_all_others_have_a_cause_that_can_be_mended(
    program,
):
    report, found = judged(program)
    for host in report.hosts:
        assert host.perfect is not None
        assert host.perfect.most <= 1
    causes = [cause for socket, cause in found if socket.served]
    assert "concurrency" not in causes
    assert "unknown" not in causes
    assert causes.count("first-use") <= 1
    assert {CATALOGUE[cause].mended_by for cause in causes[1:] if cause} <= {"program", "server"}


@given(programs_watched_late(steps=ALL_ALONE))
@settings(max_examples=150)
def test_a_single_thread_is_never_told_of_concurrency_whenever_the_watch_began(program):
    report, found = judged(program)
    check(report)
    causes = [cause for socket, cause in found if socket.served]
    assert "concurrency" not in causes
    assert "unknown" not in causes[1:]
    assert "first-use" not in causes[1:]


# -- Idle timeouts: servers behind one name, each with its own time

TIMES_S = st.sampled_from([2.0, 6.0, 25.0, 60.0])
WAITS_S = st.lists(st.sampled_from([0.2, 1.0, 3.0, 5.0, 7.0, 20.0, 30.0, 70.0]), max_size=12)


def polling(number: int, timeout_s: float, waits_s: list[float]) -> Program:
    """A process that sends requests at these times to a server that closes what is idle."""
    program = Program([1], number)
    for wait_s in [0.0, *waits_s]:
        # no wait of one process is as long as one of another
        program.wait(wait_s + 0.3 * number)
        if wait_s + 0.3 * number > timeout_s:
            program.die(0, CloseReason.FIN)
        program.start(0, 0)
        program.finish(0)
    return program


@given(st.lists(st.tuples(TIMES_S, WAITS_S), min_size=1, max_size=3))
@settings(max_examples=150)
def test_an_idle_timeout_is_found_whatever_the_servers_and_max_idle_is_safe_for_all(servers):
    several = [polling(number, *server) for number, server in enumerate(servers, start=1)]
    report, found = judged(*several)
    check(report)
    assert {cause for _, cause in found} <= {"first-use", "idle-timeout"}
    died_s = [socket.end.idle_s for socket, _ in found if socket.end is not None]
    survived_s = [socket.longest_idle_s for socket, _ in found]
    for cause in report.hosts[0].causes:
        if cause.cause != "idle-timeout" or "max_idle_s" not in cause.facts:
            continue
        shortest_s = min(idle_s for idle_s in died_s if idle_s)
        below_s = max((idle_s for idle_s in survived_s if idle_s < shortest_s), default=0.0)
        assert below_s < cause.facts["max_idle_s"] < shortest_s
