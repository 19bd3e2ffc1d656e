"""Makes a call, says so, and waits for a signal: waits.py [handle]."""

import os
import signal
import sys
import time

import calls

if "handle" in sys.argv:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
calls.connect()
try:
    os.write(1, b"ready\n")
    time.sleep(60)
except KeyboardInterrupt:
    os.write(1, b"interrupted once\n")
    sys.exit(4)
