"""The environment that a test gives to requests."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from unittest import mock

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
READ_BY_REQUESTS = [
    *PROXIES,
    *(name.upper() for name in PROXIES),
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC"),
]


@contextlib.contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Only these of the variables that requests looks at."""
    with mock.patch.dict(os.environ, variables):
        for name in READ_BY_REQUESTS:
            if name not in variables:
                os.environ.pop(name, None)
        yield
