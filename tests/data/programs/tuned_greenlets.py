"""Twenty greenlets, two connections: tuned_greenlets.py LIBRARY HOW URL prints how many got a 200.

HOW is "late": the library patches all but ssl after requests was imported; "no-threads": it leaves
threads as they are, as grequests does; or "early": it patches everything first.
"""

import sys

library, how, url = sys.argv[1:]


def patch(**settings):
    if library == "gevent":
        from gevent import monkey

        monkey.patch_all(**settings)
    else:
        import eventlet

        names = ("os", "select", "socket", "time", "thread")
        eventlet.monkey_patch(**{name: settings.get(name, True) for name in names})


if how == "early":
    patch()
if how == "no-threads":
    patch(thread=False, select=False)

import requests  # noqa: E402, F401 - "late" is after this

from keptalive import tuned_session  # noqa: E402

with tuned_session(threads=2, timeout=(3, 3)) as session:
    if how == "late":
        patch(**({"ssl": False} if library == "gevent" else {}))

    def ask(number):
        return session.get(url, hooks={"response": lambda response, **_: None}).status_code

    if library == "gevent":
        from gevent.pool import Pool

        found = Pool(20).map(ask, range(20))
    else:
        import eventlet

        found = list(eventlet.GreenPool(20).imap(ask, range(20)))
sys.stdout.write(f"{found.count(200)}\n")
