"""The first thing that a watched process runs: start watching, then be gone without a trace.

Any Python that finds PYTHONPATH comes here, 2.7 included, hence the old-fashioned words.
"""

# ruff: noqa: PTH100, PTH118, PTH120, PTH123, UP031, UP036

import os
import sys

_ours = os.path.dirname(os.path.abspath(__file__))
_start = None

try:
    if sys.version_info < (3, 10):
        raise RuntimeError("Python %d.%d is older than 3.10" % sys.version_info[:2])  # noqa: TRY301
    _start = __import__("_keptalive_process").start
except Exception:  # noqa: BLE001 - whatever it is, the program must not notice
    try:
        _note = os.path.join(os.environ["KEPTALIVE_REPORTS"], "%d.unwatched" % os.getpid())
        with open(_note, "w") as _file:
            _file.write(str(sys.exc_info()[1]))
    except Exception:  # noqa: BLE001, S110 - nowhere to say it
        pass

# sys.path as it would have been; children find us through their PYTHONPATH
sys.path[:] = [entry for entry in sys.path if entry != _ours]
sys.path_importer_cache.pop(_ours, None)

if _start is not None:
    _start()

# A sitecustomize of theirs takes this one's place. If there is none, the ImportError is what site
# expects and passes over, and nothing remains in sys.modules either.
_self = sys.modules.pop("sitecustomize")  # kept: Python 2 empties a module that nobody holds
__import__("sitecustomize")
