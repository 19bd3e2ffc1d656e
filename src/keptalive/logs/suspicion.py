"""Whether a block of a log may have copies of records: told from its events alone, and cheaply."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from keptalive.logs.events import Seen
from keptalive.logs.messages import What

_NEAR = 16  # copies stand no further apart, but for a few
_SAMPLE = 48  # events, of a block
_ENOUGH = 4  # runs that are regular

# Of a record that announces a connection: its place in its block, what it says, and when
Attempted = tuple[int, What, float | None]


def may_have_copies(seen: Sequence[Seen], attempts: Sequence[Attempted]) -> bool:
    """Whether it is worth to look at each record of a block: cheap, for any block.

    Args:
        seen: its events.
        attempts: those of them that announce a connection.
    """
    if attempts:
        return any(
            then - at <= _NEAR and (one, one_s) == (other, other_s)
            for (at, one, one_s), (then, other, other_s) in pairwise(attempts)
        )
    return any(
        _is_regular(seen[start : start + _SAMPLE])
        for start in {0, len(seen) // 2, max(0, len(seen) - _SAMPLE)}
    )


def _is_regular(events: Sequence[Seen]) -> bool:
    lengths, length = [], 1
    for one, then in pairwise(events):
        if one == then:
            length += 1
        else:
            lengths.append(length)
            length = 1
    return len(lengths) > _ENOUGH and math.gcd(*lengths[1:]) > 1
