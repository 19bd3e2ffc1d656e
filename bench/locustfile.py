"""Users of `make scale`: the same request, with requests.get, a Session and a tuned Session."""

from __future__ import annotations

import os

from locust import constant

from keptalive.locust import FreshUser, SessionUser, TunedUser


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
