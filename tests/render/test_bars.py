"""Stacked bars in the terminal."""

from __future__ import annotations

from keptalive.render.terminal.bars import WIDTH, bar


def test_the_longest_bar_is_as_wide_as_all_of_its_parts():
    text = bar([("CA bundle", 1.0), ("TLS", 2.0), ("wait", 1.0)], 4.0).plain
    assert text == "▓" * 5 + "█" * 10 + "░" * 5


def test_a_shorter_bar_is_shorter_in_proportion():
    assert len(bar([("wait", 1.0), ("rest", 1.0)], 4.0).plain) == WIDTH // 2


def test_rounding_changes_no_length():
    parts = [("CA bundle", 1.0), ("connect", 1.0), ("TLS", 1.0), ("wait", 1.0), ("rest", 1.0)]
    assert len(bar(parts, 5.0).plain) == WIDTH


def test_nothing_has_no_bar():
    assert bar([("wait", 0.0)], 0.0).plain == ""
