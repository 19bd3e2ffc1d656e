"""A tiny watcher: counts the connects of http.client in this process."""

import os
import signal
import sys

_now = None


class Counter:
    def __init__(self):
        self.connects = 0

        self.note = lambda: None

    def on_change(self, note):
        self.note = note

    def report(self):
        hosts = [{"host": "http.client", "connects": self.connects}]
        return {"process": os.getpid(), "started_ns": 1, "seconds": 0.5, "hosts": hosts}


def _hear(event, _arguments):
    if event == "http.client.connect":
        _now.connects += 1
        _now.note()


def start():
    global _now
    if _now is None:
        sys.addaudithook(_hear)
    _now = Counter()
    return _now


class Told(Counter):
    def after_fork(self):
        self.connects = 100


def start_told():
    global _now
    sys.addaudithook(_hear)
    _now = Told()
    return _now


class Faulty:
    def report(self):
        raise ValueError("no report today")


class Once(Counter):
    """Has a first report and no other."""

    def report(self):
        if self.connects != 1:
            raise RuntimeError("no report but the first")
        return super().report()


def start_once():
    global _now
    sys.addaudithook(_hear)
    _now = Once()
    return _now


def _strike(where):
    """Have a signal come just here, if the program handles it and the test asks for that."""
    wanted = os.environ.get("KEPTALIVE_TEST_STRIKES")
    if where == wanted and callable(signal.getsignal(signal.SIGUSR1)):
        os.kill(os.getpid(), signal.SIGUSR1)
        for _ in range(1000):  # the handler runs within these
            pass


class Struck(Counter):
    """Is interrupted while it works."""

    def report(self):
        _strike("report")
        return super().report()

    def after_fork(self):
        _strike("fork")
        self.connects = 0


def start_struck():
    global _now
    _strike("start")
    sys.addaudithook(_hear)
    _now = Struck()
    return _now


def not_json():
    counter = Faulty()
    counter.report = lambda: {"x": object()}
    return counter


def a_list():
    counter = Counter()
    counter.report = lambda: [1]
    return counter


class Locked:
    """Its report waits for a lock that is never released."""

    def report(self):
        import threading

        lock = threading.Lock()
        lock.acquire()
        lock.acquire()


def broken():
    raise RuntimeError("broken watcher")
