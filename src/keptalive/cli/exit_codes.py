"""The exit codes that no error carries by itself; errors bring their own (`keptalive.errors`)."""

INVALID = 1
GATE_FAILED = 1
NOT_COMPARABLE = 2
UNWRITABLE = 2
INTERRUPTED = 130  # as a shell reports a program that SIGINT ended
OUR_FAULT = 70  # EX_SOFTWARE of sysexits.h
