"""A tiny watcher: counts the connects of http.client in this process."""

import sys

_now = None


class Counter:
    def __init__(self):
        self.connects = 0

        self.note = lambda: None

    def on_change(self, note):
        self.note = note

    def report(self):
        return {"connects": self.connects}


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
