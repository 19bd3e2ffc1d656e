"""What `program.run` puts into the processes that it watches; this folder goes on PYTHONPATH.

`sitecustomize` starts it, `_keptalive_process` stays for the length of the process, and a watcher
may use `importing`. None of them imports anything of keptalive: it may not be importable there.
"""
