"""Pairwise combinations leave no pair out, and are few."""

from __future__ import annotations

from itertools import combinations, product

import pytest
from tests.pairs import pairwise

SHAPES = [(3, 2), (3, 2, 5), (4, 3, 2, 2), (5, 5, 5), (1, 4, 1), (2, 2, 2, 2, 2, 2)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_two_values_of_different_parameters_meet(shape: tuple[int, ...]) -> None:
    parameters = [[f"{at}:{value}" for value in range(size)] for at, size in enumerate(shape)]
    met = {frozenset(pair) for row in pairwise(*parameters) for pair in combinations(row, 2)}
    wanted = {
        frozenset(pair)
        for one, other in combinations(parameters, 2)
        for pair in product(one, other)
    }
    assert met == wanted


@pytest.mark.parametrize(
    ("shape", "rows"), [((3, 2), 6), ((3, 2, 5), 15), ((4, 3, 2, 2), 12), ((2,) * 6, 7)], ids=str
)
def test_there_are_far_fewer_than_all(shape: tuple[int, ...], rows: int) -> None:
    assert len(pairwise(*map(range, shape))) == rows


def test_they_are_the_same_each_time() -> None:
    assert pairwise("abc", "de", "fgh") == pairwise("abc", "de", "fgh")
