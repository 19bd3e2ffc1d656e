"""As `_keptalive_turn`, for Pythons before 3.4: say that they are not watched, then make way."""

# ruff: noqa: PTH100, PTH118, PTH120, PTH123, UP031, ANN

import os
import sys


def take_turn(name, _namespace):
    # type: (str, object) -> None
    """Let the module that stands behind ours take its place."""
    ours = os.path.dirname(os.path.abspath(__file__))
    note = os.path.join(os.environ.get("KEPTALIVE_REPORTS", ""), "%d.unwatched" % os.getpid())
    try:
        with open(note, "w") as file:
            file.write("Python %d.%d is older than 3.10" % sys.version_info[:2])
    except Exception:  # noqa: BLE001, S110 - nowhere to say it; its name is another here
        pass
    sys.path[:] = [entry for entry in sys.path if entry != ours]
    sys.path_importer_cache.pop(ours, None)
    here = sys.modules.pop(name, None)  # kept: Python 2 empties a module that nobody holds
    __import__(name)
    del here
