"""The servers that these tests send requests to."""

from tests.servers.plain import bundle, refusing, served

__all__ = ["bundle", "refusing", "served"]
