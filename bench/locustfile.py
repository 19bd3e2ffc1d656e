"""Users of `make scale`: the same request, with requests.get, a Session and a tuned Session."""

from __future__ import annotations

import logging
import os

from locust import constant, events

from keptalive.locust import FreshUser, SessionUser, TunedUser

REPORTED = os.environ.get("SCALE_REPORTED")  # what the master writes about each worker's reports


def says(data, **_):
    """Write which worker has reported, if it has counted connections."""
    counts = data.get("keptalive")
    hosts = [host for one in counts["classes"].values() for host in one["hosts"]] if counts else []
    if any(host["opened"] for host in hosts):
        logging.getLogger(__name__).info(REPORTED.format(counts["process"]))


if REPORTED:
    events.worker_report.add_listener(says)


class Calls:
    """What each user does."""

    wait_time = constant(1)

    def on_start(self):
        self.client.verify = os.environ["SCALE_BUNDLE"]
        self.client.headers["Authorization"] = f"Bearer {os.environ['SCALE_TOKEN']}"

    def call(self):
        self.client.get("/user")

    tasks = (call,)


class Fresh(Calls, FreshUser):
    pass


class OneSession(Calls, SessionUser):
    pass


class Tuned(Calls, TunedUser):
    pass
