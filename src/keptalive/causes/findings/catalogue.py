"""The findings by name: what was seen. The table in docs/causes.md is made from it."""

from __future__ import annotations

from collections.abc import Mapping

FINDINGS: Mapping[str, str] = {
    "cleartext-credentials": "Credentials (Authorization, Cookie, common names of API keys) were "
    "sent over plain http to another machine. Only the names of headers are recorded, never a "
    "value.",
    "leaked-headers": "A redirect took such a header along to another host.",
    "unverified-tls": "The certificate of a host on another machine was not verified "
    "(`verify=False`).",
    "bundle-from-environment": "`REQUESTS_CA_BUNDLE` or `CURL_CA_BUNDLE` replaced "
    "`session.verify` by another bundle; and the requests that failed in TLS.",
    "http2": "urllib3's own HTTP/2 (`urllib3.http2.inject_into_urllib3()`) is in use. HTTP/2 can "
    "carry several requests at once on one connection; urllib3 sends one at a time, so connections "
    "are counted as in HTTP/1.1.",
    "session-after-fork": "A Session (or a PoolManager) had open connections when the process was "
    "forked, and the child used it. Two processes on one connection get each other's responses. "
    "It is reported whether or not it went wrong.",
    "short-lived-processes": "Several processes, one after the other, each opened a connection to "
    "the same host for a few requests.",
    "failed-address": "An address of the host failed before another one worked, and how long that "
    "took.",
    "silent-retries": "Requests failed and were retried, and the program did not notice.",
    "ca-bundle": "Loading the CA bundle takes at least a third of the time for opening "
    "connections, or 50 ms in all, and one load for all connections would save some of it.",
    "delayed-ack": "Responses take some 40 ms longer on kept connections than on new ones (on "
    "Linux only; see below).",
    "waiting-for-pool": "Requests waited for a connection of a pool that blocks "
    "(`pool_block=True`, or `threads` of a tuned Session): how many, how long, and the size of the "
    "pool with which none had waited.",
    "full-pool": 'A full pool discarded connections ("Connection pool is full"), and no later '
    "request needed them.",
    "mocked-answers": "Responses came from a mock or a recording (responses, requests-mock, vcrpy "
    "and others). They are not counted as requests.",
    "cached-answers": "Responses came from a cache (CacheControl). They are not counted as "
    "requests.",
    "tuned-run": "The program ran under `keptalive run --tuned`: how many adapters were tuned, and "
    "which were left alone.",
    "unwatched-urllib3": "Another package's own copy of urllib3, such as `pip._vendor.urllib3`, "
    "opened connections: only their number is known.",
    "unwatched-client": "No request was seen, and another client (httpx, aiohttp, pycurl, "
    "niquests, curl_cffi) was imported.",
}
