"""Locust users whose connections are counted, with their causes (extra: scale).

    from keptalive.locust import SessionUser
    from locust import task

    class Shop(SessionUser):
        @task
        def cart(self):
            self.client.get("/cart")

`users` are what a locustfile takes from here. `events` is what Locust calls: in each process with
users a `worker`, which watches; on the master a `master`, which adds up what the workers send
(`messages`). `console`, `web` and `ending` show it. All but `users`, `events` and `current_user` do
without Locust.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from keptalive.locust.users import ConnectionsMixin, FreshUser, SessionUser, TunedUser

__all__ = ["ConnectionsMixin", "FreshUser", "SessionUser", "TunedUser"]


def __getattr__(name: str) -> Any:
    # On first use: Locust patches the process that imports it
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        import locust  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "locust":
            raise
        raise ModuleNotFoundError(
            "keptalive.locust needs Locust. Next: pip install 'keptalive[scale]'.", name="locust"
        ) from None
    from keptalive.locust import users

    return getattr(users, name)


def __dir__() -> list[str]:
    """The public names."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
