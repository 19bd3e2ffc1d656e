"""service_ways.py WAY URL: 40 requests in a process as services are made; prints what was counted.

Each process prints a line of JSON: what OpenTelemetry's SDK and the report say.
"""

import json
import os
import sys

way, url = sys.argv[1:]
AT_ONCE, TIMES = 8, 40


def watched():
    """Begin to watch this process, with metrics."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    import keptalive
    from keptalive.otel import export

    seen, reader = keptalive.watch(window_s=3600).start(), InMemoryMetricReader()
    export(seen, meter_provider=MeterProvider([reader], shutdown_on_exit=False))
    return seen, reader


def told(seen, reader):
    """One line: the sums of all metrics, and those of the report."""
    sums = {}
    for metric in reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics:
        points = metric.data.data_points
        sums[metric.name] = sum(getattr(one, "value", getattr(one, "count", 0)) for one in points)
    report = seen.report()
    hosts = {name: sum(one[name] for one in report["hosts"]) for name in ("opened", "reused")}
    causes = [cause["cause"] for one in report["hosts"] for cause in one["causes"]]
    line = {"metrics": sums, "report": hosts, "causes": sorted(causes)}
    os.write(1, (json.dumps(line) + "\n").encode())


def session_of(requests):
    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=AT_ONCE))
    return session


def on_gevent():
    from gevent import monkey, pool

    monkey.patch_all()
    import requests

    seen, session = watched(), session_of(requests)
    pool.Pool(AT_ONCE).map(lambda _: session.get(url), range(TIMES))
    told(*seen)


def on_asyncio():
    import asyncio

    import requests

    seen, session = watched(), session_of(requests)

    async def one(turn):
        async with turn:
            await asyncio.to_thread(session.get, url)

    async def every():
        turn = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(one(turn) for _ in range(TIMES)))

    asyncio.run(every())
    told(*seen)


def on_forks():
    """Two workers, each of which watches itself; the parent has watched too, and gone on."""
    import requests

    parent, session = watched(), session_of(requests)
    session.get(url)
    workers = []
    for _ in range(2):
        worker = os.fork()
        if not worker:
            seen, own = watched(), session_of(requests)
            for _ in range(TIMES):
                own.get(url)
            told(*seen)
            os._exit(0)
        workers.append(worker)
    for worker in workers:
        assert os.waitpid(worker, 0)[1] == 0
    session.get(url)
    told(*parent)


{"gevent": on_gevent, "asyncio": on_asyncio, "forks": on_forks}[way]()
