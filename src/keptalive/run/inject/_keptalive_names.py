"""Names that `keptalive run` and the processes that it watches share."""

# What `run.launch` sets in the environment
REPORTS = "KEPTALIVE_REPORTS"  # the folder for all reports of this run
WATCHER = "KEPTALIVE_WATCHER"  # module.callable
SOURCE = "KEPTALIVE_SOURCE"  # where the watcher's package is, for those who do not have it
TIMELINE = "KEPTALIVE_TIMELINE"  # "1" where each request is to be recorded, else not set

# How the files in that folder end; they begin with the process id and, but for the last, a dash
STARTED, INTERIM, REPORT, UNWATCHED = ".started", ".interim", ".json", ".unwatched"
