import pytest
from shopclient import prices_one_by_one

BASKET = ["tea", "milk", "sugar"]


@pytest.mark.connections(at_most=1)
def test_a_shop_keeps_its_connection(shop):
    assert len(shop.prices(BASKET)) == 3


@pytest.mark.connections(at_most=1)
def test_prices_come_one_by_one(url):
    assert len(prices_one_by_one(url, BASKET)) == 3


def test_the_shop_is_used_again(shop, connections):
    shop.prices(BASKET)
    connections.assert_opened(at_most=1)


def test_a_basket_is_no_request():
    assert len(BASKET) == 3
