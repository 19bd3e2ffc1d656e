"""The tuned Session: a `requests.Session` with better defaults, for use in any program.

It uses requests and urllib3, and nothing else of keptalive. One module for each topic: `trust`
(TLS contexts), `pools` and `slots` (the limit on connections in use), `idle`, `sockets`, `learning`
and `policy` (idle connections, and how long servers keep them), `retries`, `session` (environment
variables and ~/.netrc); `adapter` combines them.
"""

from keptalive.tuned.adapter import TunedAdapter
from keptalive.tuned.retries import SafeRetry
from keptalive.tuned.session import TunedSession, tuned_session

__all__ = ["SafeRetry", "TunedAdapter", "TunedSession", "tuned_session"]
