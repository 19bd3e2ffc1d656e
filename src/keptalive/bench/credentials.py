"""What identifies us to a server: the plan's headers, and the token where the server may get it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from requests.utils import get_netrc_auth

from keptalive.bench.access import Access, auth_for
from keptalive.bench.github.preflight import stay_on_host
from keptalive.bench.github.token import (
    MAKE_ONE,
    OWN,
    VARIABLES,
    Token,
    find_token,
    is_githubs,
)
from keptalive.bench.plan import Plan
from keptalive.bench.plan_checks import GITHUB
from keptalive.bench.plan_headers import Header, resolved, too_short_to_hide, variable_of
from keptalive.bench.refusals import Credentials
from keptalive.errors import UsageError
from keptalive.link.own import is_own
from keptalive.redaction import IN_USE, shown

GITHUB_HEADERS = (
    ("Accept", "application/vnd.github+json"),
    ("X-GitHub-Api-Version", "2022-11-28"),
)
_ENTERPRISE = "/api/v3"  # the path of GitHub Enterprise Server's API, on a host of anyone's


def headers_for(
    plan: Plan, environment: Mapping[str, str], *, github: bool
) -> tuple[tuple[str, str], ...]:
    """What every request has: the plan's headers, and before them GitHub's own for its API.

    Raises:
        UsageError: a variable that a header names is not set.
    """
    named = {header.name.lower() for header in plan.headers}
    usual = GITHUB_HEADERS if github else ()
    return (
        *(pair for pair in usual if pair[0].lower() not in named),
        *resolved(plan.headers, environment),
    )


def access_for(
    plan: Plan, url: str, environment: Mapping[str, str]
) -> tuple[Access, Credentials, list[str]]:
    """The access to a live server, what it consists of, and what a person should know of it.

    Raises:
        UsageError: no token where one is needed, one that would be sent in the clear, or a variable
            that is not set.
    """
    host = str(urlsplit(url).hostname)
    github = is_githubs(host) or urlsplit(url).path == _ENTERPRISE
    headers = headers_for(plan, environment, github=github)
    for request in plan.distinct:
        resolved(request.headers, environment)  # refused now, not in the middle of a run
    token = _token_for(plan, url, environment)
    if token is None and (login := get_netrc_auth(url)):
        IN_USE.add(login[1])  # requests sends it by itself
    access = Access(
        auth=auth_for(plan.auth, token.value if token else None),
        headers=headers,
        on_response=stay_on_host,
    )
    secret = {one.name: one.variable for one in _all_headers(plan) if one.variable is not None}
    credentials = Credentials(token_source=token.source if token else None, headers=secret)
    return access, credentials, _notes(plan, url, credentials, environment)


def _all_headers(plan: Plan) -> Iterator[Header]:
    yield from plan.headers
    for request in plan.distinct:
        yield from request.headers


def _token_for(plan: Plan, url: str, environment: Mapping[str, str]) -> Token | None:
    if plan.auth == "none" or _has_authorization(plan):
        return None
    host = "github.com" if plan.target == GITHUB else str(urlsplit(url).hostname)
    variable = None if plan.token is None else variable_of(plan.token)
    token = find_token(host, environment, ask=True, variable=variable)
    if token is None and plan.target == GITHUB:
        raise UsageError(f"GitHub wants a token, and GITHUB_TOKEN is not set. Next: {MAKE_ONE}.")
    if token is not None and _in_the_clear(url):
        raise UsageError(
            f"The token from {token.source} would go to {shown(url)} in the clear. "
            'Next: use https, or auth = "none" in the plan.'
        )
    return token


def _has_authorization(plan: Plan) -> bool:
    return any(header.name.lower() == "authorization" for header in plan.headers)


def _in_the_clear(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and not _is_our_machine(str(parts.hostname))


def _is_our_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback or is_own(host)
    except ValueError:
        return host == "localhost"


# -- For a person --------------------------------------------------------------------------------


def _notes(
    plan: Plan, url: str, credentials: Credentials, environment: Mapping[str, str]
) -> list[str]:
    """What is sent to the server, what is not, and what could be seen."""
    host = urlsplit(url).netloc
    said = [
        f"{name} is sent to {host}, with the value of {variable}."
        for name, variable in credentials.headers.items()
    ]
    if credentials.token_source is not None:
        said.insert(0, f"The token from {credentials.token_source} is sent to {host}.")
    elif not said:
        said.append(_without_a_token(plan, url, environment))
    if credentials.headers and _in_the_clear(url):
        said.append(f"Anyone on the way to {host} can read that: it is not https.")
    said += [
        f"{variable} has too few characters to be hidden in what {host} sends back."
        for variable in too_short_to_hide(_all_headers(plan), environment)
    ]
    return said + _of_methods([str(one.method) for one in plan.distinct if not one.is_safe])


def _without_a_token(plan: Plan, url: str, environment: Mapping[str, str]) -> str:
    host = str(urlsplit(url).hostname)
    kept = [name for name in VARIABLES if environment.get(name, "").strip()]
    if plan.auth == "none" or _has_authorization(plan) or not kept or is_githubs(host):
        return "Without a token."
    return (
        f"Without a token: {kept[0]} is for GitHub, and {host} is not GitHub's. "
        f'To send it: token = "env:{kept[0]}" in the plan, or {OWN}.'
    )


def _of_methods(methods: Sequence[str]) -> list[str]:
    """That requests which may change something are sent many times, where there are any."""
    if not methods:
        return []
    named = " and ".join(dict.fromkeys(methods))
    return [f"Every run sends its {named} requests again: let them change nothing that matters."]
