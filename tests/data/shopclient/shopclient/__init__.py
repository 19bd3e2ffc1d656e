"""A client of a shop, as many are: good in one place, and less so in another."""

from shopclient.client import Shop, prices_one_by_one

__all__ = ["Shop", "prices_one_by_one"]
