"""The regression for which the marker is there: somebody replaces a Session by requests.get."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ("at_most=1", "opened 3 connections to http://SHOP, at most 1 allowed"),
        (
            'forbid="new-session"',
            "opened 2 connections for new-session, which is forbidden: shopclient/client.py:20",
        ),
    ],
)
def test_requests_get_in_place_of_the_session_fails_the_marked_test_until_it_is_taken_back(
    project, marker, said
):
    client = project.path / "shopclient" / "client.py"
    before = client.read_text()
    test = f"""
        @pytest.mark.connections({marker})
        def test_prices(url):
            shop = Shop(url)
            assert len(shop.prices(["tea", "milk", "sugar"])) == 3
            shop.close()
        """
    project.run(test).assert_outcomes(passed=1)

    client.write_text(before.replace("self.session.get(", "requests.get("))
    result = project.again()
    result.assert_outcomes(failed=1)
    shown = project.shown(result)
    assert said in shown
    assert "\n  Sessions made at shopclient/client.py:20.\n" in shown

    client.write_text(before)
    project.again().assert_outcomes(passed=1)
