"""Users of `make scale`: the same request, with requests.get, a Session and a tuned Session."""

from __future__ import annotations

import logging
import os

from locust import constant, events, runners

from keptalive.locust import FreshUser, SessionUser, TunedUser

REPORTED = os.environ.get("SCALE_REPORTED")  # what the master writes about each worker's reports
USED = os.environ.get("SCALE_USED")  # what it writes when so many users have sent requests
USERS = int(os.environ.get("SCALE_USERS", "0"))
_users: dict[str, int] = {}  # that have sent requests, of each worker


def says(data, **_):
    """Write which worker has reported, if it has counted connections."""
    counts = data.get("keptalive")
    hosts = [host for one in counts["classes"].values() for host in one["hosts"]] if counts else []
    if any(host["opened"] for host in hosts):
        logging.getLogger(__name__).info(REPORTED.format(counts["process"]))


def says_when_all_have(client_id, data, **_):
    """Write that each user has sent a request."""
    counts = data.get("keptalive")
    if counts:
        _users[client_id] = sum(one["users"] for one in counts["classes"].values())
        if sum(_users.values()) >= USERS:
            logging.getLogger(__name__).info(USED)


if REPORTED:
    events.worker_report.add_listener(says)
    # seconds: on a busy machine the worker that lives would be missed too, and the test ended
    runners.HEARTBEAT_LIVENESS = 10
if USED:
    events.worker_report.add_listener(says_when_all_have)


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
