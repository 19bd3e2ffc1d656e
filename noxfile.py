"""`nox` runs the tests on each version of Python, requests and urllib3 that keptalive promises.

Interpreters that are missing are skipped, unless in CI (nox's own rule). One row alone:
`nox -s 'tests(3.10, 2.28, 1.26)'`; `nox -l` lists them.
"""

import nox

nox.options.default_venv_backend = "uv|virtualenv"

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
# requests, urllib3: a version of each line that is met with, and what is newest today ("")
PAIRS = [
    ("2.28", "1.26"),
    ("2.29", "1.26"),
    ("2.31", "1.26"),
    ("2.31", "2.0"),
    ("2.32.3", "2.2"),
    ("2.32.5", "1.26"),
    ("", "1.26"),
    ("", ""),
]
DEVELOPMENT = nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), "dev")
ENDS = (PAIRS[0], PAIRS[-1])
# Every pair on one Python, and both ends on all of them
ROWS = [
    nox.param(python, *pair, id=f"{python}, {pair[0] or 'newest'}, {pair[1] or 'newest'}")
    for python in PYTHONS
    for pair in PAIRS
    if pair in ENDS or python == "3.11"
]


def wanted(package: str, version: str) -> str:
    """The requirement for this version, or this line of versions."""
    if not version:
        return package
    return f"{package}=={version}" + (".*" if version.count(".") == 1 else "")


@nox.session
@nox.parametrize(("python", "requests", "urllib3"), ROWS)
def tests(session: nox.Session, requests: str, urllib3: str) -> None:
    """The tests of `make test`; `nox -- -m complete` runs the others."""
    pair = (wanted("requests", requests), wanted("urllib3", urllib3))
    session.install("-e", ".", *DEVELOPMENT, *pair)
    session.run("pytest", "-q", "-n", "2", *(session.posargs or ("-m", "not complete")))
