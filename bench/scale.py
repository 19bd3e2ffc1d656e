"""`make scale`: Locust with a master and two workers on this machine, and the look-alike.

python -m bench.scale [USERS] [SECONDS] [kill]: with `kill`, one worker is killed in the middle.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from keptalive.lookalike.process import Lookalike

WORKERS = 2
SCENARIO = "keep-alive"
LOCUSTFILE = Path(__file__).parent / "locustfile.py"
_SPAWNED = re.compile(r"All users spawned|Spawning is complete")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def locust(*options: str, stderr: int, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), *options],
        env={**os.environ, **variables},
        stderr=stderr,
        text=True,
    )


def echoed(process: subprocess.Popen[str], ready: threading.Event) -> threading.Thread:
    """Show what the master writes; note when all users run."""

    def shows() -> None:
        for line in process.stderr or ():
            sys.stderr.write(line)
            if _SPAWNED.search(line):
                ready.set()

    thread = threading.Thread(target=shows)
    thread.start()
    return thread


def main(words: Sequence[str]) -> int:
    users, seconds = (*[word for word in words if word.isdigit()], "200", "10")[:2]
    with Lookalike.start([SCENARIO]) as lookalike:
        port = str(free_port())
        variables = {"SCALE_BUNDLE": str(lookalike.ca_bundle), "SCALE_TOKEN": lookalike.token}
        master = locust(
            *("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port),
            *("--headless", "--only-summary", "--expect-workers", str(WORKERS)),
            *("--users", users, "--spawn-rate", "100", "--run-time", f"{seconds}s"),
            *("--stop-timeout", "10", "--host", lookalike.url(SCENARIO)),
            stderr=subprocess.PIPE,
            **variables,
        )
        options = ("--worker", "--master-host", "127.0.0.1", "--master-port", port)
        workers = [locust(*options, stderr=subprocess.DEVNULL, **variables) for _ in range(WORKERS)]
        try:
            ready = threading.Event()
            reader = echoed(master, ready)
            if "kill" in words:
                ready.wait(timeout=60)
                threading.Event().wait(int(seconds) / 2)  # so that it has reported, too
                workers[0].kill()
            code = master.wait()
            reader.join()
            for one in workers:
                one.wait(timeout=30)
        finally:
            for process in (master, *workers):
                with suppress(ProcessLookupError):
                    process.send_signal(signal.SIGKILL)
        sys.stdout.write(f"The test server accepted {lookalike.accepted(SCENARIO)} connections.\n")
        return code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
