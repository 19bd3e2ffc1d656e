"""keptalive's command line, which stops at a step, says so, and goes on at the end of its input.

stops_at.py MODULE:NAME ARGUMENTS...: each call of that function first writes "there" to standard
error. The function itself is what it is.
"""

import importlib
import sys

from keptalive.__main__ import main

module_name, _, name = sys.argv.pop(1).partition(":")
owner = importlib.import_module(module_name)
for part in name.split(".")[:-1]:
    owner = getattr(owner, part)
function = getattr(owner, name.rpartition(".")[2])


def stop_first(*arguments, **options):
    sys.__stderr__.write("there\n")
    sys.__stderr__.flush()
    sys.__stdin__.read()
    return function(*arguments, **options)


setattr(owner, name.rpartition(".")[2], stop_first)
main()
