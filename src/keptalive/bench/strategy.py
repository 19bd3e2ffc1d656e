"""What a strategy is: a request in, an answer out, and what is to be known of it.

`bench` knows no HTTP client beyond this. A strategy of one's own is a subclass of `Strategy`, and a
plan names it as ``package.module:Class``. It is made anew for each trial; making and closing it are
part of its time, since a program pays for them too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import ClassVar

from keptalive.bench.access import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be sent; ``headers`` are added to those of the `Access`.

    Attributes:
        url: the `Access`'s ``base_url`` and the path.
        path: with the query, as the plan names it: for a client that adds its own base URL.
    """

    url: str
    path: str = ""
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A response, its body read.

    Attributes:
        headers: found in any spelling of their names, as those of requests and httpx are.
        redirected_to: the last URL, if the client followed a redirect.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    redirected_to: str | None = None


class Strategy(ABC):
    """One way of sending the same authenticated requests.

    Attributes:
        label: its name for people.
        errors: the exceptions that count as a failed request; any other ends the benchmark.
        built_on_urllib3: whether urllib3's pool log is a witness of its connections. Then phases
            are timed and the causes of connections traced, too.
        connects_in_python: whether it connects through `socket.socket`, blocking.
        thread_safe: whether the threads of a plan share an instance; else each has its own.
    """

    label: ClassVar[str]
    errors: ClassVar[tuple[type[Exception], ...]] = (OSError,)
    built_on_urllib3: ClassVar[bool] = False
    connects_in_python: ClassVar[bool] = True
    thread_safe: ClassVar[bool] = False

    def __init__(self, access: Access) -> None:
        self.access = access

    @abstractmethod
    def send(self, request: Request) -> Answer:
        """Send this request and read the whole response.

        Raises:
            Exception: one of `errors`, where the request failed.
        """

    def close(self) -> None:  # noqa: B027 - nothing to close is a sound default
        """Close what is still open."""

    @classmethod
    def settings(cls) -> str:
        """What is particular about it, in a few words for the result file."""
        return "defaults"

    def __enter__(self) -> Strategy:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
