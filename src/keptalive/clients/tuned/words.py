"""The policy in words: what `TunedAdapter.describe` answers. It decides nothing."""

from __future__ import annotations

from urllib3.util import Retry

from keptalive.clients.tuned.retries import SafeRetry
from keptalive.clients.tuned.timeouts import Timeout, longest, pair


def policy(
    *,
    hosts: int,
    connections: int,
    block: bool,
    max_idle: float | None,
    timeout: Timeout,
    max_retries: Retry,
) -> str:
    """All of an adapter's policy, a line for each part."""
    connect, read = (_seconds(value, "{:g} s", "no limit") for value in pair(timeout))
    beyond = (
        f"one more waits {_seconds(longest(timeout), 'up to {:g} s', 'for one of them')}"
        if block
        else "more are opened when needed, and not kept"
    )
    lines = {
        "TLS": "each CA bundle and client certificate is read once, and again when it changes",
        "pools": f"{hosts} hosts, {connections} connections each; {beyond}",
        "idle connections": _seconds(
            max_idle, "replaced before use after {:g} s", "used at any age"
        ),
        "timeouts": f"{connect} to connect, {read} between bytes",
        "TCP keepalive": "probes a silent connection, so that no NAT forgets it",
        "retries": retry(max_retries),
    }
    return "\n".join(f"{part}: {said}" for part, said in lines.items())


def retry(policy: Retry) -> str:
    """What this policy, `SafeRetry` or any other, sends again."""
    if not policy.total:
        return "nothing is sent again"
    methods = (
        ", ".join(sorted(policy.allowed_methods)) if policy.allowed_methods else "every method"
    )
    after = [] if policy.read is False else ["a broken connection"]
    after += [str(status) for status in sorted(policy.status_forcelist)]
    said = f"{methods} up to {policy.total} times"
    if after:
        said += f", after {' or '.join([', '.join(after[:-1]), after[-1]] if after[1:] else after)}"
    if isinstance(policy, SafeRetry) and policy.respect_retry_after_header:
        said += f", waiting for Retry-After up to {policy.LONGEST_WAIT:g} s"
    if policy.allowed_methods:
        said += "; other methods only while nothing was sent"
    return said


def _seconds(value: float | None, given: str, without: str) -> str:
    return without if value is None else given.format(value)
