"""The look-alike: a test server that imitates api.github.com, on loopback.

A scenario says how and when it ends connections. It counts the connections that it accepts: it is
the third witness. Witnesses must not share code, so it imports nothing of keptalive but the errors
and the signal handling. `process.Lookalike` starts it in a process of its own;
`server.run_forever` runs it in this process.
"""
