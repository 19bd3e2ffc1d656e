# Where another sitecustomize stands in front of ours and does not load it, as OpenTelemetry's, this
# starts the watcher after all: outside of virtual environments, and without -s. Where ours did run,
# it has taken this folder from sys.path, and nobody comes here.

# ruff: noqa: D100

__import__(
    "_keptalive_turn" if __import__("sys").hexversion >= 0x03040000 else "_keptalive_python2"
).take_turn("usercustomize", globals())
