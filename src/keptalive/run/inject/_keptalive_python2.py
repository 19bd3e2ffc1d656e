"""`_keptalive_turn` for Python before 3.4: it notes that the process is not watched."""

# ruff: noqa: PTH100, PTH118, PTH120, PTH123, UP031, ANN

import os
import sys


def take_turn(name, _namespace):
    # type: (str, object) -> None
    """Note that this process is not watched, then run the module after ours."""
    ours = os.path.dirname(os.path.abspath(__file__))
    note = os.path.join(os.environ.get("KEPTALIVE_REPORTS", ""), "%d.unwatched" % os.getpid())
    try:
        with open(note, "w") as file:
            file.write("Python %d.%d is older than 3.10" % sys.version_info[:2])
    except Exception:  # noqa: BLE001, S110 - it cannot be noted; OSError has another name here
        pass
    sys.path[:] = [entry for entry in sys.path if entry != ours]
    sys.path_importer_cache.pop(ours, None)
    here = sys.modules.pop(name, None)  # a reference: Python 2 clears a module without one
    __import__(name)
    del here
