"""The names of what a probe can find, each with its meaning.

A name that is a cause of `keptalive run` too means the same there.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

FINDINGS: Mapping[str, str] = MappingProxyType(
    {
        "keep-alive": "The server keeps connections.",
        "close-announced": "Every response says Connection: close.",
        "http-1.0": "HTTP/1.0 without keep-alive, or bodies whose end cannot be told otherwise.",
        "server-closed": "The server closes after each response, without a word.",
        "idle-timeout": "The server closes connections that are idle for so long.",
        "no-idle-timeout": "No idle connection was closed while it was watched.",
        "idle-survived": "A request after so long an idle time got a response.",
        "sweep": "The server looks from time to time for idle connections, and closes them "
        "together.",
        "servers-differ": "Some idle connections were closed, and others were not.",
        "silent-drop": "After so long an idle time, the path had forgotten the connection.",
        "request-limit": "The server closes after so many requests.",
        "age-limit": "The server closes connections that are so old.",
        "no-request-limit": "So many requests on one connection were fine.",
        "keep-alive-header": "What the Keep-Alive header announces, and whether it is so.",
        "timeout-408": "The server sends a 408 to idle connections.",
        "server-reset": "The server ends connections by a RST.",
        "stray-bytes": "Bytes came that belong to no response: urllib3 then opens another "
        "connection.",
        "tls-message": "A TLS message came after a response: urllib3 then opens another "
        "connection.",
        "stale-connection": "The server closed a connection as a request came.",
        "truncated-body": "A response ended before its end.",
        "no-response": "A request on a connection in use got no response in time.",
        "tls-session": "Whether a TLS session can be resumed.",
        "status": "The response is an error, and servers may treat those otherwise.",
        "redirect": "The response redirects to another server, which was not probed.",
        "proxy": "All this is of the connection to the proxy, or through it.",
        "not-opened": "A further connection could not be opened.",
        "fewer-requests": "The server wanted fewer requests, and the probe stopped.",
    }
)
