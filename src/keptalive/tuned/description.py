"""The text that `TunedAdapter.describe` returns. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping

from urllib3.util import Retry

from keptalive.tuned.learning import Learned
from keptalive.tuned.pools import LEARN, MaxIdle
from keptalive.tuned.retries import SafeRetry
from keptalive.tuned.timeouts import Timeout, as_pair, longest_wait


def describe_policy(
    *,
    hosts: int,
    connections: int,
    block: bool,
    max_idle: MaxIdle,
    max_age: float | None,
    timeout: Timeout,
    max_retries: Retry,
    learned: Mapping[str, Learned],
) -> str:
    """The settings of an adapter in plain English, a line for each topic."""
    connect, read = (_seconds(value, "{:g} s", "no limit") for value in as_pair(timeout))
    beyond = (
        f"one more waits {_seconds(longest_wait(timeout), 'up to {:g} s', 'for one of them')}"
        if block
        else "more are opened when needed, and not kept"
    )
    parts = {
        "TLS": ["each CA bundle and client certificate is read once, and when it changes"],
        "pools": [f"{hosts} hosts, {connections} connections each; {beyond}"],
        "idle connections": _idle_lines(max_idle, max_age, learned),
        "timeouts": [f"{connect} to connect, {read} between bytes"],
        "TCP keepalive": ["sends probes on a silent connection, so that no NAT forgets it"],
        "retries": retry_lines(max_retries),
    }
    return "\n".join(f"{part:18}" + f"\n{'':18}".join(lines) for part, lines in parts.items())


def _idle_lines(
    max_idle: MaxIdle, max_age: float | None, learned: Mapping[str, Learned]
) -> list[str]:
    aged = [] if max_age is None else [f"replaced when {max_age:g} s old, before use"]
    if max_idle != LEARN:
        return [_seconds(max_idle, "replaced after {:g} s, before use", "never replaced"), *aged]
    rule = "used for as long as each server is known to keep them;"
    then = "after that, only by requests that may be sent twice"
    return [rule, then, *aged, *(learned_line(host, one) for host, one in learned.items())]


def learned_line(host: str, learned: Learned) -> str:
    """What is known of one host, in a line."""
    known = {
        "announces {:g} s": learned.announced_s,
        "kept {:.3g} s": learned.kept_s,
        "closed after {:.3g} s": learned.closed_s,
        "forgotten by the path after {:.3g} s": learned.forgotten_s,
    }
    facts = [words.format(value) for words, value in known.items() if value is not None]
    return f"{host}: {', '.join((*facts, f'safe up to {learned.max_idle_s:.3g} s'))}"


def retry_lines(policy: Retry) -> list[str]:
    """What this policy, `SafeRetry` or any other, retries, in short lines."""
    if policy.total is not None and not policy.total:
        return ["none"]
    methods = ", ".join(sorted(policy.allowed_methods)) if policy.allowed_methods else "any method"
    times = "any number of times" if policy.total is None else f"up to {_times(policy.total)}"
    lines = [f"{methods}: {times}"]
    after = [] if policy.read in (False, 0) else ["a broken connection"]
    after += [str(status) for status in sorted(policy.status_forcelist)]
    if after:
        *others, last = after
        lines.append(f"after {', '.join(others)}{' or ' if others else ''}{last}")
    if isinstance(policy, SafeRetry) and policy.respect_retry_after_header:
        lines.append(f"waits as long as Retry-After says, up to {policy.LONGEST_WAIT:g} s")
    if policy.allowed_methods:
        lines.append("other methods: only if nothing was sent")
    return lines


def _times(count: int) -> str:
    return "1 time" if count == 1 else f"{count} times"


def _seconds(value: float | None, given: str, without: str) -> str:
    return without if value is None else given.format(value)
