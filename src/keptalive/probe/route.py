"""Where a probe connects, by which proxy and with which certificates: as requests would have it.

requests itself prepares the URL and reads the environment; nothing is sent here.
"""

from __future__ import annotations

import base64
import encodings.idna  # noqa: F401 - else the first look-up would be charged with it
import socket
import ssl
import threading
import time
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import prepend_scheme_if_needed, select_proxy
from urllib3.util.ssl_ import create_urllib3_context

from keptalive import interruption
from keptalive.errors import TargetError, UsageError
from keptalive.redaction import IN_USE, for_a_file, shown
from keptalive.tuned.trust import TrustStore
from keptalive.version import VERSION

USER_AGENT = f"keptalive-probe/{VERSION}"
_PORTS = {"http": 80, "https": 443}
Address = tuple[socket.AddressFamily, Any]  # the family, and what connect() takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How to get a connection to this server, and what to send on it.

    Attributes:
        url: without login, fragment and query values, to be shown.
        whole_url: as requests would send it.
        forwarder: the proxy that forwards plain http.
        origin: scheme, host and port, as in a report.
        peer: host and port to connect to: the server's, or the proxy's.
        via: the proxy, without its login.
        request: the whole request, in bytes.
        connect: the request for a tunnel; None without one.
        server_name: for whom the certificate must be.
        context: TLS with the server, or with the proxy that forwards; None without TLS.
        ca_bundle_s: how long it took to read the CA bundle.
    """

    url: str
    whole_url: str
    forwarder: SplitResult | None
    origin: str
    peer: tuple[str, int]
    via: str | None
    request: bytes
    connect: bytes | None
    server_name: str
    context: ssl.SSLContext | None
    ca_bundle_s: float | None


def route_to(url: str) -> Route:
    """The route to this URL, in this environment.

    Raises:
        UsageError: it is no URL of http or https, the environment names a file that cannot be
            read, or a proxy of a kind that cannot be probed through.
    """
    prepared = _prepared(url)
    parts = urlsplit(str(prepared.url))
    host, port = str(parts.hostname), parts.port or _PORTS[parts.scheme]
    found = requests.Session().merge_environment_settings(str(prepared.url), {}, None, None, None)
    proxy = _proxy(str(prepared.url), found["proxies"])
    forwards = proxy is not None and parts.scheme == "http"
    first = parts if proxy is None or not forwards else proxy
    context, ca_bundle_s = None, None
    if first.scheme == "https":
        context, ca_bundle_s = _context(found["verify"], found["cert"])
    peer = (host, port) if proxy is None else _place_of(proxy)
    tunnels = proxy is not None and not forwards
    return Route(
        url=for_a_file(_without_login(parts)),
        whole_url=str(prepared.url),
        forwarder=proxy if forwards else None,
        origin=_origin(parts),
        peer=peer,
        via=None if proxy is None else f"{proxy.scheme}://{_bracketed(peer[0])}:{peer[1]}",
        request=_request(prepared, parts, proxy if forwards else None),
        connect=_connect(host, port, proxy) if proxy is not None and tunnels else None,
        server_name=str(first.hostname).rstrip("."),
        context=context,
        ca_bundle_s=ca_bundle_s,
    )


def redirected(route: Route, location: str) -> Route | None:
    """The route to where a response redirects; None if that is another server, or no URL.

    A login in the first URL goes along.
    """
    login = urlsplit(route.whole_url).netloc.rpartition("@")[0]
    try:
        parts = urlsplit(urljoin(route.whole_url, location))
        if parts.scheme not in _PORTS or _origin(parts) != route.origin:
            return None
        netloc = "@".join([*([login] if login else []), parts.netloc.rpartition("@")[2]])
        prepared = _prepared(parts._replace(netloc=netloc, fragment="").geturl())
    except (ValueError, UsageError):
        return None
    parts = urlsplit(str(prepared.url))
    return replace(
        route,
        url=for_a_file(_without_login(parts)),
        whole_url=str(prepared.url),
        request=_request(prepared, parts, route.forwarder),
    )


def look_up(peer: tuple[str, int], *, limit_s: float) -> tuple[list[Address], float]:
    """The addresses of this host, in the order in which they are to be tried, and the seconds.

    Raises:
        TargetError: there is none, or the resolver does not answer in time.
        Interrupted: a signal came.
    """
    host, port = peer
    found: list[Any] = []
    took_s = [0.0]

    def resolve() -> None:
        began = time.perf_counter()
        try:
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            found.append(error)
        else:
            took_s[0] = time.perf_counter() - began
            found.append(addresses)

    # A thread, since nothing else can end a resolver that does not answer
    resolver = threading.Thread(target=resolve, daemon=True)
    resolver.start()
    with interruption.allowed():
        resolver.join(limit_s)
    if not found:
        raise TargetError(
            f"Looking up {shown(host)} took more than {limit_s:.0f} s. Next: check the network."
        )
    if isinstance(found[0], Exception):
        why = getattr(found[0], "strerror", None) or str(found[0])
        raise TargetError(f"{shown(host)} was not found: {why}. Next: check the name.")
    addresses = [(family, place) for family, _, _, _, place in found[0]]
    return addresses, took_s[0]


def _prepared(url: str) -> requests.PreparedRequest:
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    if scheme not in _PORTS:
        raise UsageError(
            f"{shown(url)} is no URL of http or https. Next: keptalive probe https://HOST/PATH."
        )
    try:
        _remember_login(urlsplit(url))
        prepared = requests.Request("GET", url).prepare()
        int(urlsplit(str(prepared.url)).port or 0)
    except (requests.RequestException, ValueError) as error:
        raise UsageError(
            f"{shown(url)} is no valid URL: {shown(str(error)).rstrip('.')}. "
            "Next: check its host and port."
        ) from None
    return prepared


def _origin(parts: SplitResult) -> str:
    port = parts.port or _PORTS[parts.scheme]
    return f"{parts.scheme}://{_bracketed(str(parts.hostname))}:{port}"


def _remember_login(parts: SplitResult) -> None:
    if parts.password:
        IN_USE.add(unquote(parts.password))


def _proxy(url: str, proxies: dict[str, str]) -> SplitResult | None:
    chosen = select_proxy(url, proxies)
    if not chosen:
        return None
    try:
        proxy = urlsplit(prepend_scheme_if_needed(chosen, "http"))
        _place_of(proxy)
    except ValueError:
        proxy = urlsplit("")
    _remember_login(proxy)
    tunnels = url.startswith("https:")
    if not proxy.hostname or proxy.scheme not in (("http",) if tunnels else _PORTS):
        kind = f"{proxy.scheme}://" if proxy.hostname else shown(chosen)
        raise UsageError(
            f"The environment's proxy is {kind}, through which keptalive cannot probe "
            f"{'https' if tunnels else 'http'}. Next: an http:// proxy, or NO_PROXY=HOST."
        )
    return proxy


def _place_of(proxy: SplitResult) -> tuple[str, int]:
    return str(proxy.hostname), proxy.port or _PORTS.get(proxy.scheme, 0)


def _context(verify: Any, cert: Any) -> tuple[ssl.SSLContext, float | None]:
    store = TrustStore(
        lambda cert_reqs: create_urllib3_context(cert_reqs=cert_reqs), HTTPAdapter().cert_verify
    )
    began = time.perf_counter()
    try:
        context = store.get(verify, cert).context
    except (OSError, requests.RequestException) as error:
        raise UsageError(
            f"The environment's CA bundle cannot be used: {shown(str(error)).rstrip('.')}. "
            "Next: check REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE."
        ) from None
    took_s = time.perf_counter() - began
    # urllib3 1.26 compares the name itself, after the handshake
    context.check_hostname = context.verify_mode is ssl.CERT_REQUIRED
    # urllib3 asks for no tickets of TLS 1.2; without them the server would seem to resume nothing
    context.options &= ~ssl.OP_NO_TICKET
    context.set_alpn_protocols(["http/1.1"])  # as urllib3 does
    return context, took_s if verify else None


def _request(
    prepared: requests.PreparedRequest, parts: SplitResult, proxy: SplitResult | None
) -> bytes:
    """The request: the headers that say something of the connection are those of requests."""
    target = prepared.path_url if proxy is None else _without_login(parts)
    lines = [
        f"GET {target} HTTP/1.1",
        f"Host: {parts.netloc.rpartition('@')[2]}",
        f"User-Agent: {USER_AGENT}",
        "Accept: */*",
        "Connection: keep-alive",
    ]
    if login := prepared.headers.get("Authorization"):
        lines.append(f"Authorization: {login!s}")
    if proxy is not None:
        lines += _login_for(proxy)
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _connect(host: str, port: int, proxy: SplitResult) -> bytes:
    place = f"{_bracketed(host)}:{port}"
    lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}", f"User-Agent: {USER_AGENT}"]
    return "\r\n".join([*lines, *_login_for(proxy), "", ""]).encode("latin-1")


def _login_for(proxy: SplitResult) -> list[str]:
    if proxy.username is None:
        return []
    login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode(
        "latin-1", "replace"
    )
    return [f"Proxy-Authorization: Basic {base64.b64encode(login).decode()}"]


def _without_login(parts: SplitResult) -> str:
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
