"""Finds out what a server does with connections, by few and polite requests.

- `events`: what can be seen, one record for each thing
- `response`: bytes to a response, without I/O
- `judge`, with `history`, `idle`, `limits`, `catalogue`, `findings`, `advice`: events to a report,
  and `gain`: beside a program's report; without I/O
- `route`: which address, proxy and certificates, as requests would have it
- `line`: one connection; `watcher`: all of them, and the clock
- `prober`: what is done when; `ladder`: the search for connections that die silently
"""
