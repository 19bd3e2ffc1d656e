"""Exit codes that are not in an error; `keptalive.errors` has the others."""

INVALID = 1
GATE_FAILED = 1
NOT_COMPARABLE = 2
NOT_JUDGED = 2
UNWRITABLE = 2
INTERRUPTED = 130  # what a shell reports for a program that ended by SIGINT
OUR_FAULT = 70  # EX_SOFTWARE of sysexits.h
