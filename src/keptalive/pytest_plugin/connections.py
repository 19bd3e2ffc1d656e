"""What the fixture `connections` gives to a test.

(PYTEST_DONT_REWRITE: it asserts nothing.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from keptalive.errors import UsageError
from keptalive.pytest_plugin import deferred

if TYPE_CHECKING:
    from keptalive.watching.api import Watch


class Connections:
    """What went through requests and urllib3 since the fixture was set up, on all threads."""

    def __init__(self, seen: Watch) -> None:
        self._seen = seen

    @property
    def opened(self) -> int:
        """Connections opened so far on which a response came, reopened ones included."""
        return self._seen.opened

    @property
    def reused(self) -> int:
        """Responses that came on a kept connection."""
        return self._seen.reused

    @property
    def reopened(self) -> int:
        """Connections that replaced a dropped one."""
        return deferred.numbers_of(self._seen.result())["reopened"]

    @property
    def perfect(self) -> int:
        """Connections that perfect reuse would have opened so far, to all hosts together."""
        return deferred.numbers_of(self._seen.result())["perfect"]

    @property
    def causes(self) -> Mapping[str, int]:
        """How many were opened for which cause, over all hosts; unavoidable ones come last.

        A cause that no connection had is missing: use ``"new-session" not in connections.causes``.
        The numbers add up to ``opened``.
        """
        return deferred.causes_of(self._seen.result())

    def report(self) -> dict[str, Any]:
        """Hosts, causes, costs and cures, as `keptalive.watch()` reports them."""
        return self._seen.report()

    def assert_opened(
        self,
        *,
        at_most: int | None = None,
        exactly: int | None = None,
        per_host: bool = False,
        forbid: str | Iterable[str] | None = None,
    ) -> None:
        """Fail the test if too many connections, or too few, were opened so far.

        Args:
            at_most: the most that is allowed.
            exactly: the one number that is allowed.
            per_host: whether the number is for each host, instead of all together.
            forbid: a cause for which none may be opened, or several.

        Raises:
            AssertionError: with the causes and their cures.
            UsageError: for numbers and causes that make no sense.
        """
        __tracebackhide__ = True
        given = {"at_most": at_most, "exactly": exactly, "forbid": forbid}
        named: dict[str, Any] = {name: v for name, v in given.items() if v is not None}
        try:
            rule = deferred.rule_of((), {**named, **({"per_host": per_host} if per_host else {})})
        except UsageError as wrong:
            raise UsageError(f"assert_opened: {wrong}") from None
        refusal = deferred.refusal(rule, self._seen.result())
        if refusal is not None:
            raise AssertionError(refusal)

    def __repr__(self) -> str:
        report = self._seen.result()
        numbers = ", ".join(f"{name}={n}" for name, n in deferred.numbers_of(report).items())
        return f"Connections({numbers}, causes={deferred.causes_of(report)})"
