"""Names that `keptalive run` and the watched processes share."""

# Environment variables that `keptalive run` sets
REPORTS = "KEPTALIVE_REPORTS"  # the folder for all reports of this run
WATCHER = "KEPTALIVE_WATCHER"  # module.callable
SOURCE = "KEPTALIVE_SOURCE"  # the folder with the watcher's package, for processes without it
TIMELINE = "KEPTALIVE_TIMELINE"  # "1" if each request is to be recorded, else not set
TUNED = "KEPTALIVE_TUNED"  # "1" if requests' adapters are to be tuned, else not set

# Endings of the files in that folder. Each name begins with the process id; in all but the last, a
# dash follows
STARTED, INTERIM, REPORT, UNWATCHED = ".started", ".interim", ".json", ".unwatched"
SKIPPED = ".skipped"  # a byte for each change since the interim report
# While this is there, SIGUSR1 is answered by an interim report; ASKED says that we have sent it
ASKABLE, ASKED = ".askable", ".asked"
SIGNAL = "SIGUSR1"  # Windows has none
