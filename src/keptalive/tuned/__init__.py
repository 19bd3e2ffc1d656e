"""The tuned Session, the part that people build their programs on.

It uses requests and urllib3 and nothing else of keptalive. Each module holds one of its policies:
`trust` (TLS), `pools` (idle connections, bodies that cannot be sent again), `retries`, and
`session` (the environment, looked up once); `adapter` puts them together.
"""

from keptalive.tuned.adapter import TunedAdapter
from keptalive.tuned.retries import SafeRetry
from keptalive.tuned.session import TunedSession, tuned_session

__all__ = ["SafeRetry", "TunedAdapter", "TunedSession", "tuned_session"]
