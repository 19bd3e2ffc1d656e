"""Which requests and urllib3 the tests run with, where these differ."""

from __future__ import annotations

import requests
import urllib3

REQUESTS = tuple(map(int, requests.__version__.split(".")[:2]))
URLLIB3_1 = urllib3.__version__.startswith("1.")
# Before, whatever settings a connection was opened with, any request could meet it (CVE-2024-35195)
REQUESTS_IS_STRICT = REQUESTS >= (2, 32)
