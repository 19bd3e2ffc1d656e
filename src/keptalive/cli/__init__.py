"""The command line: reads options, shows progress, prints, leaves with a code.

A room for each command, and the door that they share. Nothing is decided here.
"""

from keptalive.cli.main import main, run_guarded

__all__ = ["main", "run_guarded"]
