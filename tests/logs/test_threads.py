"""Which lines are of one thread."""

from __future__ import annotations

import json

import pytest
from tests.logs.logs import STARTED, lines, reading, seen


def numbers(*prefixes: str) -> list[int]:
    return [one.event.thread for one in seen("".join(f"{p}{STARTED}\n" for p in prefixes))]


@pytest.mark.parametrize(
    ("one_thread", "another"),
    [
        ("[MainThread] ", "[Thread-3] "),
        ("Thread-1 (work) ", "Thread-2 (work) "),
        ("ThreadPoolExecutor-0_0 ", "ThreadPoolExecutor-0_1 "),
        ("[crawler-thread-1] ", "[crawler-thread-2] "),
        ("12 140234567890123 ", "12 140234567890987 "),
        ("thread=a ", "thread=b "),
        ("tid 1 ", "tid 2 "),
    ],
)
def test_evident_threads_have_numbers_of_their_own(one_thread, another):
    stamped = [f"2026-11-22 15:04:0{n},12{n} DEBUG " for n in range(4)]
    log = "".join(
        f"{stamp}{who}{STARTED}\n"
        for stamp, who in zip(stamped, (one_thread, another, one_thread, another), strict=True)
    )
    read = reading(log)
    assert [one.event.thread for one in lines(read)] == [1, 2, 1, 2]
    assert read.knows_threads


@pytest.mark.parametrize(
    ("one_process", "another"),
    [("[pid 1] ", "[pid 2] "), ("ForkPoolWorker-1 ", "ForkPoolWorker-2 "), ("a[1]: ", "a[2]: ")],
)
def test_processes_have_numbers_but_do_not_make_threads_known(one_process, another):
    log = reading("".join(f"{p}{STARTED}\n" for p in (one_process, another, one_process)))
    assert [one.event.thread for one in lines(log)] == [1, 2, 1]
    assert not log.knows_threads


def test_a_thread_behind_the_message_counts_as_well():
    log = reading("".join(f"{STARTED} [Thread-{n}]\n" for n in (1, 2, 1)))
    assert [one.event.thread for one in lines(log)] == [1, 2, 1]
    assert log.knows_threads


def test_a_thread_in_json_counts_as_well():
    written = [json.dumps({"ts": n, "thread": f"t {n % 2}", "message": STARTED}) for n in range(4)]
    assert [one.event.thread for one in seen("\n".join(written))] == [1, 2, 1, 2]


@pytest.mark.parametrize(
    "form",
    [
        "{ms} ms {message}",  # relativeCreated
        "15:04:05 {message}",
        "connectionpool {lineno} {message}",
        "[connectionpool.py:{lineno}] {func} {message}",
        "request-{ms} {message}",
        "mem={few} {message}",
    ],
)
def test_what_merely_differs_makes_no_threads(form):
    """One thread, with retries and two hosts: what it opens must stay beside its answer."""
    written = []
    for n in range(300):
        host = f"h{n % 2}"
        start = f"Starting new HTTPS connection ({n}): {host}:443"
        answer = f'https://{host}:443 "GET / HTTP/1.1" 200 1'
        written += [
            form.format(ms=n * 7, few=n % 3, lineno=1049, func="_new_conn", message=start),
            form.format(ms=n * 7 + 5, few=n % 5, lineno=546, func="_make_request", message=answer),
        ]
    log = reading("\n".join(written))
    assert {1} == {one.event.thread for one in lines(log)}
    assert not log.knows_threads


def test_workers_with_names_of_their_own_are_threads_since_that_explains_the_order():
    written = []
    for n in range(20):
        host = [f"h{w}" for w in range(4)]
        names = ["fetch_a", "fetch_b", "spider", "main"]
        written += [
            f"{n * 9 + w} {names[w]} L{1049} Starting new HTTPS connection ({n}): {host[w]}:443"
            for w in range(4)
        ]
        written += [
            f'{n * 9 + 5 + w} {names[w]} L{546} https://{host[w]}:443 "GET / HTTP/1.1" 200 1'
            for w in (2, 0, 3, 1)
        ]
    log = reading("\n".join(written))
    by_thread = {(one.event.thread, one.event.host) for one in lines(log)}
    assert len(by_thread) == 4
    assert log.knows_threads


def test_a_thread_keeps_its_number_however_many_others_come_and_go():
    threads = [f"Thread-{n}" if n % 500 else "MainThread" for n in range(20_000)]
    found = numbers(*[f"[{thread}] " for thread in threads])
    assert {found[n] for n in range(0, 20_000, 500)} == {1}
    assert len(set(found)) == 20_000 - 40 + 1


def test_a_log_without_a_word_of_threads_has_one_number_and_says_so():
    log = reading(f"DEBUG:urllib3.connectionpool:{STARTED}\n" * 3)
    assert {1} == {one.event.thread for one in lines(log)}
    assert not log.knows_threads
    assert not reading("").knows_threads
