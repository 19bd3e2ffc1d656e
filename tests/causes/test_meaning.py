"""Every name that may stand as a cause in a report has plain words."""

from __future__ import annotations

import pytest

from keptalive.causes.catalogue import CATALOGUE
from keptalive.causes.log_sets import SETS
from keptalive.causes.meaning import meaning_of


@pytest.mark.parametrize("name", [*CATALOGUE, *SETS])
def test_every_cause_and_every_set_has_a_meaning(name):
    assert meaning_of(name) not in ("", name)


def test_a_set_is_no_cause():
    assert set(CATALOGUE).isdisjoint(SETS)


def test_the_members_of_a_set_are_causes():
    assert {member for one in SETS.values() for member in one.members} <= set(CATALOGUE)


def test_a_name_that_is_not_known_stands_for_itself():
    assert meaning_of("of-a-later-version") == "of-a-later-version"
