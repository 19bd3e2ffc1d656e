"""gevent_ends.py HOW: what became of requests on greenlets, and what was counted, as JSON.

`killed` kills greenlets at any moment of their requests; any other word is a scenario in which the
server ends an idle connection.
"""

# ruff: noqa: E402 - gevent patches what the others import
from gevent import monkey

monkey.patch_all()

import json
import sys

import gevent
import requests

from keptalive.lookalike.process import Lookalike
from keptalive.watching.api import watch

GREENLETS = 12
BEGIN = "-----BEGIN CERTIFICATE-----"


def killed(lookalike, url):
    errors = []

    def sends():
        try:
            while True:
                requests.get(url, verify=str(lookalike.ca_bundle), timeout=20)
                gevent.sleep()
        except OSError as error:  # a greenlet that is killed ends, and has no error
            errors.append(type(error).__name__)

    running = [gevent.spawn(sends) for _ in range(GREENLETS)]
    for one in running:
        gevent.sleep(0.005)
        one.kill(block=False)
    gevent.joinall(running)
    return errors


def dropped(lookalike, url):
    with requests.Session() as session:
        session.verify = str(lookalike.ca_bundle)
        session.get(url, timeout=20)
        lookalike.skip(scenario, seconds=60)
        session.get(url, timeout=20)
    return []


scenario = sys.argv[1] if sys.argv[1] != "killed" else "keep-alive"
with Lookalike.start([scenario]) as lookalike, watch(clock=lambda: 0.0) as watched:
    bundle = lookalike.ca_bundle  # what signed the server's certificate is enough, and loads fast
    bundle.write_text(BEGIN + bundle.read_text().rpartition(BEGIN)[2])
    ends = killed if sys.argv[1] == "killed" else dropped
    errors = ends(lookalike, f"{lookalike.url(scenario)}/zen")
    [host] = watched.report()["hosts"]
    accepted = lookalike.accepted(scenario)
host["causes"] = [cause["cause"] for cause in host["causes"]]
sys.stdout.write(json.dumps({"errors": errors, "accepted": accepted, "host": host}))
