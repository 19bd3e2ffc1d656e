"""The debug logs of httpx, httpx2 and httpcore: from their lines to counts, causes and findings.

A block of a log goes through `scanner` (which lines are theirs), `messages` (what each says) and
`steps` (what it means for a request and a connection, which `lanes`, `pool`, `routes` and `state`
remember). `accounting` and `host` count it; `report` adds it to the report of the log.
"""
