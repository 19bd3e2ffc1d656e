# The first thing that a watched process runs: it starts the watcher, then makes way for the
# sitecustomize behind it. No docstring and no names here: an agent in front of us may run this in
# its own namespace. Any Python that finds PYTHONPATH comes here, 2.7 included.

# ruff: noqa: D100

__import__(
    "_keptalive_turn" if __import__("sys").hexversion >= 0x03040000 else "_keptalive_python2"
).take_turn("sitecustomize", globals())
