"""requests-cache: what is cached is not requested, in a Session and everywhere."""

# ruff: noqa: T201 - what it prints is what the test compares

import sys

import requests
import requests_cache

url, bundle = sys.argv[1:]
session = requests_cache.CachedSession(backend="memory", expire_after=60)
session.verify = bundle
for path in ("/one", "/two", "/one", "/not-there", "/not-there"):
    response = session.get(url + path)
    print(path, response.status_code, response.from_cache, response.text)
session.cache.clear()
print(session.get(url + "/one").from_cache, len(session.cache.responses))

requests_cache.install_cache("unused", backend="sqlite", use_memory=True, expire_after=60)
for _ in range(3):
    response = requests.get(url + "/everywhere", verify=bundle)
    print(response.from_cache, response.status_code, sorted(response.headers))
requests_cache.uninstall_cache()
print(hasattr(requests.get(url + "/everywhere", verify=bundle), "from_cache"))
