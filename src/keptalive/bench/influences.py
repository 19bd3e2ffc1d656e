"""What the environment would do to a run: set aside for the look-alike, else reported.

requests lets ``REQUESTS_CA_BUNDLE`` beat ``session.verify``, sends requests through proxies named
in the environment, and takes credentials from ~/.netrc (``Session.merge_environment_settings``,
``Session.prepare_request``). For somebody's own server that is what they want to measure.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import urllib3
from requests.utils import get_netrc_auth

from keptalive.errors import UsageError

BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
PROXIES = tuple(
    spelling
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    for spelling in (name, name.lower())
)
NETRC = "NETRC"


def influences(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The names of those variables that are set and would change how requests connects."""
    return tuple(name for name in (*BUNDLES, *PROXIES) if environment.get(name))


@contextmanager
def neutral() -> Iterator[None]:
    """Without them, and without a ~/.netrc; everything is back afterwards."""
    names = (*BUNDLES, *PROXIES, NETRC)
    before = {name: os.environ[name] for name in names if name in os.environ}
    for name in before:
        del os.environ[name]
    os.environ[NETRC] = os.devnull
    try:
        yield
    finally:
        os.environ.pop(NETRC, None)
        os.environ.update(before)


def notes(environment: Mapping[str, str], url: str, *, authenticated: bool) -> list[str]:
    """What a run against somebody's own server should know of the environment, in sentences."""
    said = []
    for name in influences(environment):
        value = environment[name] if name in BUNDLES else "a proxy"
        said.append(f"{name} is set and honoured, as requests does: {value}.")
    if not authenticated and get_netrc_auth(url):
        said.append(
            "~/.netrc has credentials for this host: requests sends them, with each method."
        )
    return said


def refuse_overwritten_urllib3() -> None:
    """Stop if urllib3-future has written itself over urllib3: the figures would be its own.

    Raises:
        UsageError: it has.
    """
    version = str(getattr(urllib3, "__version__", ""))
    patch = re.match(r"\d+\.\d+\.(\d+)", version)
    overwritten = (
        hasattr(urllib3, "AsyncPoolManager")
        or (patch is not None and int(patch[1]) >= 900)  # its numbering: 2.x.900 and up
        or version != importlib.metadata.version("urllib3")
    )
    if overwritten:
        raise UsageError(
            f"In this environment urllib3 {version} is urllib3-future, which has overwritten "
            "urllib3 (it comes with niquests), so the figures would not be those of requests.\n"
            "Next: run in an environment without it, or: pip uninstall urllib3-future && "
            "pip install --force-reinstall urllib3."
        )
