"""A program that mounts its own TLS adapter: TLS 1.2 at most, and a pinned certificate."""

# ruff: noqa: T201 - what it prints is what the test compares

import hashlib
import ssl
import sys

import requests
from requests.adapters import HTTPAdapter

url, bundle = sys.argv[1:]
pem = ssl.get_server_certificate(("127.0.0.1", int(url.rpartition(":")[2])))
pin = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


class OldTLS(HTTPAdapter):
    def init_poolmanager(self, *args, **settings):
        self.context = ssl.create_default_context(cafile=bundle)
        self.context.maximum_version = ssl.TLSVersion.TLSv1_2
        super().init_poolmanager(*args, ssl_context=self.context, **settings)


class Pinned(HTTPAdapter):
    def __init__(self, fingerprint):
        self.fingerprint = fingerprint
        super().__init__()

    def init_poolmanager(self, *args, **settings):
        super().init_poolmanager(*args, assert_fingerprint=self.fingerprint, **settings)


def say(session, path="/tls"):
    try:
        print(session.get(url + path).text)
    except requests.RequestException as error:
        print(type(error).__name__, "fingerprint" in str(error).lower())


for adapter in (OldTLS(), Pinned(pin), Pinned("00" * 32), HTTPAdapter()):
    with requests.Session() as session:
        session.verify = bundle
        session.mount("https://", adapter)
        say(session)
        say(session)
