"""`make scale`: Locust with a master and two workers on this machine, and the look-alike.

python -m bench.scale [USERS] [SECONDS]
python -m bench.scale [USERS] kill: one worker is killed once it has reported connections; the test
ends when Locust misses it, and the other one has reported again.
python -m bench.scale [USERS] used: the test ends when each user has sent a request.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from bench.ports import reserved_port

from keptalive.lookalike.process import Lookalike

WORKERS = 2
SCENARIO = "keep-alive"
LOCUSTFILE = Path(__file__).parent / "locustfile.py"
REPORTED = "Worker process {} has reported connections."
USED = "Each user has sent a request."
PATIENCE_S = 60  # for what takes a few seconds


def locust(*options: str, stderr: int | None, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), *options],
        env={**os.environ, **variables},
        stderr=stderr,
        text=True,
    )


class Echo:
    """Shows what the master writes, and waits for a line of it."""

    def __init__(self, master: subprocess.Popen[str]) -> None:
        self._master = master
        self._lines: list[str] = []
        self._more = threading.Condition()
        self.thread = threading.Thread(target=self._shows)
        self.thread.start()

    def _shows(self) -> None:
        for line in self._master.stderr or ():
            sys.stderr.write(line)
            with self._more:
                self._lines.append(line)
                self._more.notify_all()

    def waits_for(self, text: str) -> None:
        """Wait until a line has this in it that has come since the last wait."""
        with self._more:
            if not self._more.wait_for(lambda: any(text in one for one in self._lines), PATIENCE_S):
                raise TimeoutError(f"The master has not written in {PATIENCE_S} s: {text}")
            self._lines.clear()


def kill_one(echo: Echo, workers: Sequence[subprocess.Popen[str]]) -> None:
    """Kill a worker in the middle, and wait until the other one has gone on without it."""
    killed, other = workers
    echo.waits_for(REPORTED.format(killed.pid))
    killed.kill()
    echo.waits_for("setting state to missing")
    echo.waits_for(REPORTED.format(other.pid))


def main(words: Sequence[str]) -> int:
    users, seconds = (*[word for word in words if word.isdigit()], "200", "10")[:2]
    is_killed, until_used = "kill" in words, "used" in words
    with Lookalike.start([SCENARIO]) as lookalike, reserved_port() as free:
        port = str(free)
        variables = {"SCALE_BUNDLE": str(lookalike.ca_bundle), "SCALE_TOKEN": lookalike.token}
        run_time: tuple[str, ...] = ("--run-time", f"{seconds}s")
        if is_killed:
            run_time, variables["SCALE_REPORTED"] = (), REPORTED
        if until_used:
            run_time, variables["SCALE_USED"], variables["SCALE_USERS"] = (), USED, users
        master = locust(
            *("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port),
            *("--headless", "--only-summary", "--expect-workers", str(WORKERS)),
            *("--users", users, "--spawn-rate", "100", *run_time),
            *("--stop-timeout", "10", "--host", lookalike.url(SCENARIO)),
            stderr=None if run_time else subprocess.PIPE,
            **variables,
        )
        options = ("--worker", "--master-host", "127.0.0.1", "--master-port", port)
        workers = [locust(*options, stderr=subprocess.DEVNULL, **variables) for _ in range(WORKERS)]
        try:
            if not run_time:
                echo = Echo(master)
                if is_killed:
                    kill_one(echo, workers)
                else:
                    echo.waits_for(USED)
                master.send_signal(signal.SIGTERM)
                echo.thread.join()
            code = master.wait()
            for one in workers:
                one.wait(timeout=30)
        finally:
            for process in (master, *workers):
                process.kill()
        sys.stdout.write(f"The test server accepted {lookalike.accepted(SCENARIO)} connections.\n")
        return code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
