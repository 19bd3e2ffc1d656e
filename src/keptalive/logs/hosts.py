"""The hosts of a log: a bounded number, by what its lines call them."""

from __future__ import annotations

from keptalive.logs.host import LogHost

HOSTS_KEPT = 10_000


class Hosts:
    """Finds the host that a line means."""

    def __init__(self) -> None:
        self.beyond = LogHost()  # those that are not kept, together
        self._whole: dict[tuple[str, str, int], LogHost] = {}
        self._bare: dict[str, LogHost] = {}  # the last host of this name, of whatever port
        self._nameless: dict[str, LogHost] = {}  # hosts of which no line has more than the name

    @property
    def kept(self) -> tuple[LogHost, ...]:
        """All that are kept."""
        return (*self._whole.values(), *self._nameless.values())

    def of(self, scheme: str, bare: str, port: int, *, in_error: bool = False) -> LogHost:
        """The host of a line that has all of this.

        Args:
            scheme: of the host.
            bare: its name.
            port: of it.
            in_error: only an error names it so: a line that has no more than the name may mean
                another port.
        """
        host = self._whole.get((scheme, bare, port))
        if host is None:
            if len(self._whole) >= HOSTS_KEPT:
                return self.beyond
            bracketed = f"[{bare}]" if ":" in bare else bare
            host = LogHost(name=f"{scheme}://{bracketed}:{port}", bare=bare)
            self._whole[scheme, bare, port] = host
            if not in_error:
                self._bare[bare] = host
        elif not in_error:
            self._bare.setdefault(bare, host)
        return host

    def named(self, bare: str) -> LogHost:
        """The host of a line that has no more than its name."""
        host = self._bare.get(bare) or self._nameless.get(bare)
        if host is None:
            if len(self._nameless) >= HOSTS_KEPT:
                return self.beyond
            host = self._nameless[bare] = LogHost(name=bare, bare=bare)
        return host

    def finish(self) -> None:
        """The log is over: a host that was first called by its name alone is counted once."""
        for bare in self._bare.keys() & self._nameless.keys():
            self._bare[bare].absorb(self._nameless.pop(bare))
