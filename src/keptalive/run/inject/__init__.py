"""What `program.run` puts into the processes that it watches; this folder goes on PYTHONPATH.

`sitecustomize` (or `usercustomize`) has `_keptalive_turn` start `_keptalive_process`, which stays
for the length of the process with what it uses, all named `_keptalive_*`. A watcher may use
`importing`. Only that one needs keptalive to be importable.
"""
