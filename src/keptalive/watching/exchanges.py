"""A request on a connection while it is recorded for a timeline."""

from __future__ import annotations

from keptalive.records.connection import Exchange


class ExchangeInProgress:
    """An `Exchange` in the making; times are the observer's clock."""

    __slots__ = (
        "connection",
        "flow",
        "head",
        "method",
        "path",
        "released",
        "started",
        "status",
        "where",
    )

    def __init__(self, flow: int, started: float) -> None:
        self.connection = 0  # the attempt's id, once it is known which socket serves
        self.flow = flow
        self.started = started
        self.head: float | None = None
        self.released: float | None = None
        self.method = ""
        self.path = ""
        self.status: int | None = None
        self.where: str | None = None

    def record(self, began: float) -> Exchange:
        """As it is now, in seconds since the recorder began."""
        return Exchange(
            connection=self.connection,
            thread=self.flow,
            started_s=self.started - began,
            head_s=None if self.head is None else self.head - began,
            released_s=None if self.released is None else self.released - began,
            method=self.method,
            path=self.path,
            status=self.status,
            where=self.where,
        )
