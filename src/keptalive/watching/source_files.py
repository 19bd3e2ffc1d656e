"""Whose a source file is: the program's own, an installed library's, or one that is passed over.

Passed over are the standard library, requests, urllib3 and keptalive, and packages that only call
what they are given (`RUNNERS`): on a stack they stand between a request and the line that wanted
it. Decided by the file's path, so once for each file. No frames here.
"""

from __future__ import annotations

import ntpath
import os
import re
import site
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from enum import Enum
from types import ModuleType
from typing import NamedTuple

from keptalive.run.inject._keptalive_faults import is_ours

PLUMBING = frozenset({"requests", "urllib3", "keptalive"})
# They run functions, wrap those of requests, or extend its Session; who uses them is of interest
RUNNERS = frozenset(
    {
        *("anyio", "apscheduler", "asgiref", "billiard", "celery", "concurrent", "distributed"),
        *("eventlet", "gevent", "greenlet", "joblib", "rq", "tqdm", "trio", "uvloop"),
        *("backoff", "decorator", "retry", "retrying", "stamina", "tenacity", "wrapt"),
        *("_pytest", "pluggy", "pytest", "xdist", "coverage", "debugpy", "pydevd"),
        *("aws_xray_sdk", "ddtrace", "elasticapm", "logfire", "newrelic", "opentelemetry"),
        *("scout_apm", "sentry_sdk"),
        *("cachecontrol", "requests_cache", "requests_futures", "requests_oauthlib"),
        *("requests_ratelimiter", "requests_toolbelt"),
        *("IPython", "ipykernel", "ipywidgets", "tornado", "zmq"),
    }
)
_INSTALLED = re.compile(r"/(?:site-packages|dist-packages|[^/]+\.whl|[^/]+\.egg)(?=/)")
_VENDORED = re.compile(r"/(?:_?vendor|_?vendored|extern|packages|third_party)/([^/]+)")


class Kind(Enum):
    """Whose a file is."""

    PROGRAM = "the program's own"
    LIBRARY = "an installed package's"
    RUNNER = "a package's that only calls what it is given"
    PASSED = "the standard library's, requests', urllib3's or ours"
    STARTER = "a script that an installer wrote, to start a package"


class SourceFile(NamedTuple):
    """One file: whose it is, and its name in locations.

    The program's is relative to the working directory, or begins with ``~`` or the root; a
    library's begins with the top-level package, as ``spotipy/client.py``.
    """

    kind: Kind
    name: str
    package: str = ""


class SourceFiles:
    """Decides whose files are.

    Args:
        standard: folders of the standard library.
        plumbing: the folders of requests, urllib3 and keptalive, wherever they lie.
        scripts: folders into which installers write scripts.
        cwd, home: the working directory, and the user's.
        installed: the top-level names that installers have put into a folder, as of
            ``pip install --target``.
        paths: `posixpath` or `ntpath`.
    """

    def __init__(
        self,
        *,
        standard: Iterable[str],
        plumbing: Iterable[str],
        scripts: Iterable[str],
        cwd: str,
        home: str,
        installed: Callable[[str], Collection[str]],
        paths: ModuleType = os.path,
    ) -> None:
        self._paths = paths
        self._standard = tuple(map(self._folder, standard))
        self._plumbing = tuple(map(self._folder, plumbing))
        self._scripts = tuple(map(self._folder, scripts))
        self._cwd, self._home = self._folder(cwd), self._folder(home)
        self._installed = installed
        self._roots: dict[str, Collection[str]] = {}

    def _slashed(self, path: str) -> str:
        """In one spelling, for comparison."""
        compared: str = self._paths.normcase(path)
        return compared.replace("\\", "/") if self._paths is ntpath else compared

    def _folder(self, path: str) -> str:
        return self._slashed(path).rstrip("/") + "/"

    def of(self, filename: str, module: str) -> SourceFile:
        """Whose the code of this file name is, which this module has.

        Args:
            filename: of a code object: a path, or ``<stdin>``; never of generated code, which is
                whose its module is.
            module: the module's ``__name__``.
        """
        if filename.startswith("<frozen "):
            return SourceFile(Kind.PASSED, filename)
        if filename.startswith("<"):
            return SourceFile(Kind.PROGRAM, filename)
        path = self._slashed(filename)
        for folder in self._plumbing:
            if path.startswith(folder):  # they may be developed, and lie where a program would
                return self._of_library(filename, folder.rstrip("/").rindex("/") + 1)
        if (start := _below_packages(path)) is None:
            if path.startswith(self._standard):
                return SourceFile(Kind.PASSED, filename)
            if self._is_script(path):
                return SourceFile(Kind.STARTER, self._shown(path, filename))
            if (start := self._below_root(path, module)) is None:
                return SourceFile(Kind.PROGRAM, self._shown(path, filename))
        return self._of_library(filename, start)

    def _of_library(self, filename: str, start: int) -> SourceFile:
        name = filename[start:]
        name = name.replace("\\", "/") if self._paths is ntpath else name
        package = name.partition("/")[0].removesuffix(".py")
        return SourceFile(_kind_of_library(name, package), name, package)

    def _below_root(self, path: str, module: str) -> int | None:
        """Where the name begins below the folder from which it was imported, if installed there."""
        if module == "__main__":
            return None
        root = path
        for _ in range(module.count(".") + 1 + path.endswith("/__init__.py")):
            root = root.rpartition("/")[0]
        if root not in self._roots:
            self._roots[root] = self._installed(root)
        start = len(root) + 1
        return start if path[start:].partition("/")[0] in self._roots[root] else None

    def _is_script(self, path: str) -> bool:
        """Whether it lies where installers write scripts, and is none that a person names."""
        if not path.startswith(self._scripts):
            return False
        is_plain = not path.endswith((".py", ".pyw")) or path.endswith("-script.py")
        return is_plain or ".exe/" in path

    def _shown(self, path: str, filename: str) -> str:
        for folder, sign in ((self._cwd, ""), (self._home, "~" + self._paths.sep)):
            if path.startswith(folder) and folder.count("/") > 1:  # else it is the root
                return sign + filename[len(folder) :]
        return filename


def _below_packages(path: str) -> int | None:
    """Where the name begins below the innermost ``site-packages``; None if there is none."""
    found = [match.end() + 1 for match in _INSTALLED.finditer(path)]
    return found[-1] if found else None


def _kind_of_library(name: str, package: str) -> Kind:
    vendored = _VENDORED.findall("/" + name)
    if vendored:  # pip._vendor.cachecontrol, botocore.vendored.requests
        package = next((one for one in vendored if one in PLUMBING | RUNNERS), package)
    if package in PLUMBING:
        return Kind.PASSED
    return Kind.RUNNER if package in RUNNERS else Kind.LIBRARY


def installed_in(folder: str) -> frozenset[str]:
    """The top-level names of the distributions whose metadata lies in this folder, or zip file."""
    try:
        if os.path.isdir(folder):  # noqa: PTH112
            if not any(name.endswith(".dist-info") for name in os.listdir(folder)):  # noqa: PTH208
                return frozenset()
        elif not os.path.isfile(folder):  # noqa: PTH113
            return frozenset()
        return frozenset(_recorded_in(folder))
    except (OSError, ValueError) as error:
        if not is_ours(error):
            raise
        return frozenset()


def _recorded_in(folder: str) -> Iterator[str]:
    # not `distributions`, which asks finders of others too
    from importlib.metadata import DistributionFinder, MetadataPathFinder  # costs 10 ms

    context = DistributionFinder.Context(path=[folder])
    for distribution in MetadataPathFinder.find_distributions(context):
        for line in (distribution.read_text("RECORD") or "").splitlines():
            yield line.partition(",")[0].partition("/")[0]


def of_this_process(plumbing: Iterable[str]) -> SourceFiles:
    """With the folders of this interpreter, and the working directory as it is now."""
    binaries = "Scripts" if os.name == "nt" else "bin"
    user = site.USER_BASE  # None unless it was asked for: then nothing is installed there
    return SourceFiles(
        standard=[os.path.dirname(os.__file__)],  # noqa: PTH120 - a path of another flavour
        plumbing=plumbing,
        scripts=[
            os.path.dirname(sys.executable) if sys.executable else sys.prefix,  # noqa: PTH120
            os.path.join(sys.prefix, binaries),  # noqa: PTH118
            *([os.path.join(user, binaries)] if user else []),  # noqa: PTH118
        ],
        cwd=_working_directory(),
        home=os.path.expanduser("~"),  # noqa: PTH111
        installed=installed_in,
    )


def _working_directory() -> str:
    try:
        return os.getcwd()  # noqa: PTH109
    except OSError as error:
        if not is_ours(error):
            raise
        return os.sep  # it was removed
