"""What a watch knows of one response: whether its connection was reused, or why it was opened."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ResponseReport:
    """How one response came; `str` of it is a sentence or two.

    Attributes:
        reused: whether it came on a kept connection; None if that was not seen.
        host: the route of its connection, as in reports.
        number: it is so many responses since this connection was opened: 1 for the first. None if
            the connection was open before anybody watched.
        idle_s: how long the connection had been idle before this request, in seconds; None where
            that was not seen, and for the first response.
        cause: why the connection was opened, where this is its first response: a name of
            docs/causes.md.
        seconds: what opening it took then.
        where: where in the program it was opened.
        sentence: all of this in words.
    """

    reused: bool | None
    host: str | None = None
    number: int | None = None
    idle_s: float | None = None
    cause: str | None = None
    seconds: float | None = None
    where: str | None = None
    sentence: str

    def __str__(self) -> str:
        return self.sentence

    def __repr__(self) -> str:
        return f"<{self.sentence}>"
