"""Runs a command on a terminal of its own, with our pipes as its keyboard and screen."""

import os
import pty
import sys

sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))
