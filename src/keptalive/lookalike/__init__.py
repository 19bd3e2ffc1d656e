"""An api.github.com of one's own on loopback, whose connections end exactly as one chooses.

It imports nothing of keptalive but its errors: it is the third witness, and witnesses must not
share code. `process.Lookalike` starts one as a process of its own; `server.run_forever` serves
in this one.
"""
