"""A program that uses adapters of requests in all ways; prints what comes of each."""

# ruff: noqa: T201 - what it prints is what the tests compare

import copy
import os
import pickle
import ssl
import sys
from unittest import mock

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

url, bundle = sys.argv[1:]
other_url = url.replace("localhost", "127.0.0.1")  # the certificate is for localhost only


class OwnTLS(HTTPAdapter):
    def init_poolmanager(self, *args, **settings):
        context = ssl.create_default_context(cafile=bundle)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        super().init_poolmanager(*args, ssl_context=context, **settings)


class Client(requests.Session):
    def __init__(self):
        super().__init__()
        self.verify = bundle

    def request(self, method, path, **settings):
        return super().request(method, url + path, **settings)


def outcome(send):
    try:
        response = send()
    except Exception as error:  # noqa: BLE001 - the tests look which one it is
        return type(error).__name__, [kind.__name__ for kind in type(error).__mro__]
    return response.status_code, response.text


def mounted(adapter):
    session = requests.Session()
    session.verify = bundle
    session.mount("https://", adapter)
    assert session.get_adapter(url) is adapter
    return session


def functions():
    yield lambda: requests.get(url + "/1", verify=bundle)
    yield lambda: requests.get(url + "/2", verify=bundle)
    yield lambda: Client().get("/client")


def certificates():
    session = mounted(HTTPAdapter())
    yield lambda: session.get(other_url)
    # a Session of its own, since requests before 2.32 remembers it for all that follow
    yield lambda: mounted(HTTPAdapter()).get(other_url, verify=False)
    yield lambda: session.get(other_url)
    yield lambda: session.get(url, verify=True)
    yield lambda: session.get(url, verify="missing.pem")
    with mock.patch.object(HTTPAdapter, "cert_verify", staticmethod(unverified)):
        yield lambda: mounted(HTTPAdapter()).get(other_url)
    yield lambda: session.get(other_url)
    pinned = mounted(HTTPAdapter())
    yield lambda: pinned.get(other_url)
    pinned.get_adapter(url).poolmanager.connection_pool_kw["assert_hostname"] = "localhost"
    yield lambda: pinned.get(other_url)


def unverified(connection, *_settings):
    connection.cert_reqs, connection.assert_hostname = "CERT_NONE", False


def of_ones_own():
    own = mounted(OwnTLS())
    yield lambda: own.get(url)
    late = mounted(HTTPAdapter())
    yield lambda: late.get(url)
    context = ssl.create_default_context(cafile=bundle)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    late.get_adapter(url).init_poolmanager(10, 10, ssl_context=context)
    yield lambda: late.get(url)
    odd = HTTPAdapter()
    odd.send = lambda *_, **__: answer("from its own send")
    yield lambda: mounted(odd).get(url)
    named = HTTPAdapter()
    named.cert_verify = unverified
    yield lambda: mounted(named).get(other_url)


def answer(text):
    response = requests.Response()
    response.status_code, response._content = 299, text.encode()
    return response


def settings():
    adapter = HTTPAdapter(
        pool_connections=2,
        pool_maxsize=1,
        pool_block=True,
        max_retries=Retry(2, status_forcelist=[503], allowed_methods=None),
    )
    session = mounted(adapter)
    for path in ("/503", "/ok"):
        yield lambda path=path: session.get(url + path, timeout=5)
    print(adapter.max_retries.total, adapter.poolmanager.connection_pool_kw["block"])
    yield lambda: pickle.loads(pickle.dumps(session)).get(url)
    yield lambda: mounted(copy.copy(adapter)).get(url)
    print(b"keptalive" in pickle.dumps(session), repr(adapter)[:38])
    with mock.patch.object(HTTPAdapter, "send", return_value=answer("from a mock")):
        yield lambda: session.get(url)


def forks():
    session = mounted(HTTPAdapter())
    yield lambda: session.get(url)
    sys.stdout.flush()
    if not (child := os.fork()):
        print(outcome(lambda: requests.get(url, verify=bundle)))
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(child, 0)
    yield lambda: session.get(url)


for group in (functions, certificates, of_ones_own, settings, forks):
    for number, send in enumerate(group()):
        print(group.__name__, number, outcome(send))
