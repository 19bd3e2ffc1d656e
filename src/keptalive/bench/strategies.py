"""The three strategies of requests, and those that a plan names as ``package.module:Class``."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import requests
from urllib3.exceptions import HTTPError

from keptalive.bench.access import Access
from keptalive.bench.strategy import Answer, Request, Strategy
from keptalive.errors import UsageError
from keptalive.redaction import shown
from keptalive.tuned import SafeRetry, TunedSession, tuned_session


def answer_of(response: requests.Response) -> Answer:
    """A response of requests as an answer; it holds nothing of the connection."""
    return Answer(
        status=response.status_code,
        body=response.content,
        headers=response.headers,
        redirected_to=response.url if response.history else None,
    )


class Fresh(Strategy):
    """`requests.get` for every call: a new Session, and so a new pool, each time."""

    label = "requests.get"
    errors = (OSError, HTTPError, ValueError)  # RequestException is an OSError
    built_on_urllib3 = True
    thread_safe = True

    def send(self, request: Request) -> Answer:
        return answer_of(
            requests.request(
                request.method,
                request.url,
                auth=self.access.auth,
                headers=dict((*self.access.headers, *request.headers)),
                data=request.body,
                verify=self.access.verify,
                timeout=self.access.timeout_s,
            )
        )

    @classmethod
    def settings(cls) -> str:
        return "requests' defaults"


class OneSession(Strategy):
    """One `requests.Session` for all calls, authentication set once."""

    label = "Session"
    errors = Fresh.errors
    built_on_urllib3 = True

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self.session = access.applied_to(self.make_session())

    @staticmethod
    def make_session() -> requests.Session:
        """The Session to share."""
        return requests.Session()

    def send(self, request: Request) -> Answer:
        return answer_of(
            self.session.request(
                request.method,
                request.url,
                headers=dict(request.headers),
                data=request.body,
                timeout=self.access.timeout_s,
            )
        )

    def close(self) -> None:
        self.session.close()

    @classmethod
    def settings(cls) -> str:
        return "requests' defaults"


class Tuned(OneSession):
    """The same with the tuned adapter: CA bundle loaded once, retries, fitted pools."""

    label = "tuned Session"

    @staticmethod
    def make_session() -> TunedSession:
        # A benchmark that a server asks to slow down ends at once, rather than wait here unseen
        patience = SafeRetry(status_forcelist=(502, 503, 504), respect_retry_after_header=False)
        return tuned_session(max_retries=patience)

    @classmethod
    def settings(cls) -> str:
        return cls.make_session().describe()


STRATEGIES: dict[str, type[Strategy]] = {"fresh": Fresh, "session": OneSession, "tuned": Tuned}

# -- Strategies of one's own ---------------------------------------------------------------------

NAMED = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", re.ASCII)  # package.module:Class


def strategies_named(names: Iterable[str]) -> dict[str, type[Strategy]]:
    """The strategies of these names, by them; modules are looked for in the current folder first.

    Raises:
        UsageError: one cannot be imported, or is no strategy.
    """
    return {name: STRATEGIES[name] if name in STRATEGIES else _imported(name) for name in names}


def _imported(name: str) -> type[Strategy]:
    module_name, _, class_name = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # as pytest and `python -m` do
    try:
        found = getattr(importlib.import_module(module_name), class_name, None)
    except Exception as error:  # whatever somebody's module raises
        why = f"{type(error).__name__}: {shown(str(error))[:200]}"
        raise UsageError(f"The strategy {name} cannot be imported: {why}. {_NEXT}") from error
    if found is None:
        raise UsageError(
            f"The strategy {name} cannot be imported: {module_name} has no {class_name}. {_NEXT}"
        )
    if (fault := _fault_of(found)) is not None:
        raise UsageError(
            f"{name} is not a strategy: {fault}.\n"
            "Next: make it a subclass of keptalive.bench.strategy.Strategy with a label and send()."
        )
    strategy: type[Strategy] = found
    return strategy


_NEXT = "Next: check its name, and run keptalive where it can be imported."


def _fault_of(found: object) -> str | None:
    if not (inspect.isclass(found) and issubclass(found, Strategy)):
        return "it is no subclass of keptalive.bench.strategy.Strategy"
    if inspect.isabstract(found):
        return "it has no send()"
    return None if isinstance(getattr(found, "label", None), str) else "it has no label"
