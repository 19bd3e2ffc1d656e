"""greenlets.py WAY URL: twenty requests at once, on greenlets; prints their statuses.

The ways differ in when requests is imported, and in whether threads are patched.
"""

import sys

way, url = sys.argv[1:]


def gevent_late():
    import requests
    from gevent import monkey

    monkey.patch_all(ssl=False)
    return on_gevent(requests.Session())


def gevent_without_threads():
    from gevent import monkey

    monkey.patch_all(thread=False, select=False)
    import requests

    return on_gevent(requests.Session())


def gevent_whole():
    from gevent import monkey

    monkey.patch_all()
    import requests

    return on_gevent(requests.Session())


def on_gevent(session):
    import gevent

    jobs = [gevent.spawn(session.get, url, timeout=10) for _ in range(20)]
    gevent.joinall(jobs)
    return [job.value.status_code if job.value is not None else job.exception for job in jobs]


def grequests_readme():
    import grequests

    return [r and r.status_code for r in grequests.map(grequests.get(url) for _ in range(20))]


def eventlet_late():
    import eventlet
    import requests

    eventlet.monkey_patch(thread=False)
    return on_eventlet(requests.Session())


def eventlet_whole():
    import eventlet

    eventlet.monkey_patch()
    import requests

    return on_eventlet(requests.Session())


def on_eventlet(session):
    import eventlet

    pool = eventlet.GreenPool(20)
    return list(pool.imap(lambda _: session.get(url, timeout=10).status_code, range(20)))


def asyncio_threads():
    import asyncio

    import requests

    session = requests.Session()

    async def all_at_once():
        calls = (asyncio.to_thread(session.get, url, timeout=10) for _ in range(20))
        return [response.status_code for response in await asyncio.gather(*calls)]

    return asyncio.run(all_at_once())


sys.stdout.write(f"{globals()[way]()}\n")
