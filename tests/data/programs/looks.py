"""Says what a program can know of its surroundings, but for what must differ under watch."""

import json
import os
import signal
import sys
import threading
from pathlib import Path

environment = {k: v for k, v in os.environ.items() if not k.startswith("KEPTALIVE_")}
environment.pop("PYTHONPATH", None)
sys.stdout.write(
    json.dumps(
        {
            "argv": sys.argv,
            "path": sys.path,
            "name": __name__,
            "file": globals().get("__file__"),
            "package": __package__,
            "cwd": str(Path.cwd()),
            "environment": environment,
            "main": sys.modules["__main__"].__dict__ is globals(),
            "site": sorted(m for m in sys.modules if "customize" in m),
            "group": os.getpgrp(),
            "threads": threading.active_count(),
            "fds": sorted(path.name for path in Path("/proc/self/fd").glob("*")),
            "sigint": str(signal.getsignal(signal.SIGINT)).split(" at ")[0],
            "stdin": sys.stdin.read(),
        }
    )
)
sys.stderr.write("to stderr\n")
sys.exit(7)
