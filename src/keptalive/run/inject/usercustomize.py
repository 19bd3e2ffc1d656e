# If another sitecustomize comes before ours and does not load it (OpenTelemetry's does not), this
# starts the watcher, but only outside of virtual environments and without -s. If ours ran, it has
# removed this folder from sys.path, and this does not run.

# ruff: noqa: D100

__import__(
    "_keptalive_turn" if __import__("sys").hexversion >= 0x03040000 else "_keptalive_python2"
).take_turn("usercustomize", globals())
