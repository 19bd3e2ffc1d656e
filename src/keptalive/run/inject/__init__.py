"""The modules that `keptalive run` puts on the PYTHONPATH of the processes that it watches.

`sitecustomize` (or `usercustomize`) calls `_keptalive_turn`, which starts `_keptalive_process`.
That module, and those that it uses (all named `_keptalive_*`), stay until the process ends. A
watcher may use `importing`, the only module here for which keptalive must be importable.
"""
