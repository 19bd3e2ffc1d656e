"""Combinations in which every two values of different parameters meet, instead of all of them.

A fault mostly needs one value, or two that meet (Kuhn, Wallace and Gallo, 2004): of three clients,
two schemes and five ends of a connection, 15 combinations are as good as 30.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product
from typing import Any


def pairwise(*parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """As few combinations as is easy, always the same, in which each pair of values occurs.

    Args:
        parameters: the values that each parameter has.
    """
    rows = list(product(*(range(len(values)) for values in parameters)))
    missing = set().union(*map(_pairs, rows))
    chosen = []
    while missing:
        best = max(rows, key=lambda row: len(_pairs(row) & missing))
        missing -= _pairs(best)
        chosen.append(tuple(values[at] for values, at in zip(parameters, best, strict=True)))
    return chosen


def _pairs(row: tuple[int, ...]) -> set[tuple[tuple[int, int], ...]]:
    return set(combinations(enumerate(row), 2))
