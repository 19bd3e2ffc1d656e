# A watched process runs this first: it starts the watcher, then runs the next sitecustomize on the
# path. No docstring and no names here: an agent before us may run this in its own namespace. Any
# Python that reads PYTHONPATH runs this, 2.7 too.

# ruff: noqa: D100

__import__(
    "_keptalive_turn" if __import__("sys").hexversion >= 0x03040000 else "_keptalive_python2"
).take_turn("sitecustomize", globals())
