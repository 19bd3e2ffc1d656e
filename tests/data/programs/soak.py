"""soak.py PORT REQUESTS THREADS FORKS SIGNALS FOLDER: everything at once that goes wrong.

Each thread sends requests of random kinds, on Sessions that it shares with others; the kind says
how a request must end. Meanwhile the main thread forks children that send requests too, and signals
arrive. With SIGNALS "raise" their handler raises in the main thread, which sends requests as well.

Each process leaves a file in FOLDER: what it got, and what its sockets and urllib3's log say.
"""

import collections
import contextlib
import json
import logging
import os
import pathlib
import random
import signal
import sys
import threading
import time
import uuid

import requests
import urllib3
from requests.adapters import HTTPAdapter

from keptalive import tuned_session
from keptalive.bench import pool_log, sockets
from keptalive.counting import count
from keptalive.records.pool_events import CallBegan, CallEnded

PORT, REQUESTS, THREADS, FORKS = map(int, sys.argv[1:5])
SIGNALS, FOLDER = sys.argv[5:7]
BASE = f"http://127.0.0.1:{PORT}"
KINDS = ["ok"] * 30 + ["close", "drop", "here", "away", "busy", "unread", "half"] * 4
KINDS += ["broken", "hangup", "reset", "slow"]
FAILS = {
    # urllib3 1.26 takes a body for whole that is too short
    "broken": "OtherBody" if urllib3.__version__ < "2" else "ChunkedEncodingError",
    "hangup": "ConnectionError",
    "reset": "ConnectionError",
    "slow": "ConnectionError ReadTimeout",
}


RETRIES = urllib3.Retry(6, read=6, backoff_factor=0, status_forcelist=[503])


class OwnTimeoutError(Exception):
    pass


def new_session(chance):
    session = requests.Session()
    session.trust_env = False
    size = chance.choice([1, 4, 64])
    session.mount("http://", HTTPAdapter(max_retries=RETRIES, pool_maxsize=size))
    return session


def send(session, kind):
    path = {"unread": "big", "half": "big"}.get(kind, kind)
    stream = kind in ("unread", "half")
    timeout = (60, 0.02 if kind == "slow" else 60)
    response = session.get(f"{BASE}/{path}/{uuid.uuid4()}", stream=stream, timeout=timeout)
    if kind == "half":
        with response:
            next(response.iter_content(1000))
    elif kind != "unread":
        return response.content
    return b"ok"


def outcome(session, kind):
    how = "OtherBody"
    events.append(CallBegan(thread=threading.get_ident()))
    try:
        how = "ok" if send(session, kind) == b"ok" else how
    except requests.RequestException as error:
        how = type(error).__name__
    events.append(CallEnded(thread=threading.get_ident(), failed=how not in ("ok", "OtherBody")))
    return how


def work(sessions, seed, requests_left, results):
    chance = random.Random(seed)
    for _ in range(requests_left):
        kind = chance.choice(KINDS)
        how = outcome(chance.choice(sessions), kind)
        wanted = FAILS.get(kind, "ok").split()
        results[kind if how in wanted else f"{kind}: {how}"] += 1


def on_threads(threads, each, seed):
    chance = random.Random(seed)
    sessions = [new_session(chance) for _ in range(4)]
    results = [collections.Counter() for _ in range(threads)]
    workers = [
        threading.Thread(target=work, args=(sessions, f"{seed}-{number}", each, results[number]))
        for number in range(threads)
    ]
    for worker in workers:
        worker.start()
    return sessions, workers, results


def finish(sessions, workers, results):
    for worker in workers:
        worker.join()
    for session in sessions:
        session.close()
    return dict(sorted(sum(results, collections.Counter()).items()))


def leave(results, witness, connected_before=0):
    counts = count(events)
    left = {
        "results": results,
        "sockets": witness.connected - connected_before,
        "log": counts.connects,
        "log_opened": counts.opened,
        "signals": signals[0],
    }
    (pathlib.Path(FOLDER) / f"{os.getpid()}.json").write_text(json.dumps(left))


def fork_one(number, witness):
    pid = os.fork()
    if pid:
        return pid
    signal.setitimer(signal.ITIMER_REAL, 0)
    events.clear()
    before = witness.connected
    results = finish(*on_threads(2, 10, f"child {number}"))
    leave(results, witness, before)
    os._exit(0)  # the parent's threads are not here, and its exit handlers not meant for us


events = []
signals, armed = [0], [False]


def handler(_number, _frame):
    signals[0] += 1
    if armed[0]:
        armed[0] = False
        raise OwnTimeoutError


def interrupted(session, others):
    """Requests that signals interrupt, for as long as the others work."""
    while any(one.is_alive() for one in others):
        try:
            armed[0] = True
            signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0005, 0.005))
            send(session, random.choice(KINDS[:58]))
            armed[0] = False
        except (OwnTimeoutError, requests.RequestException):  # noqa: PERF203 - each may end so
            armed[0] = False


def main():
    log = contextlib.nullcontext() if SIGNALS == "raise" else pool_log.listening(events.append)
    with sockets.watching() as witness, log:
        running = on_threads(THREADS, REQUESTS // THREADS, "parent")
        signal.signal(signal.SIGALRM, handler)
        if SIGNALS == "raise":
            # What raises within a lock of Python's leaves it locked, watched or not: a queue's, a
            # log handler's. So there is no log, and no connection of this thread's in a queue.
            with tuned_session(max_retries=RETRIES) as session:
                session.trust_env = False
                interrupted(session, running[1])
        else:
            signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
        children = []
        for number in range(FORKS):
            time.sleep(0.01)
            children.append(fork_one(number, witness))
        for child in children:
            os.waitpid(child, 0)
        results = finish(*running)
        signal.setitimer(signal.ITIMER_REAL, 0)
        leave(results, witness)


logging.getLogger("urllib3").addHandler(logging.NullHandler())
main()
