"""Whose a source file is: decided by its path, on every system, and by what installers record."""

from __future__ import annotations

import ntpath
import posixpath
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from keptalive.watching.source_files import Kind, SourceFiles, installed_in

PROGRAM, LIBRARY, RUNNER = Kind.PROGRAM, Kind.LIBRARY, Kind.RUNNER
PASSED, STARTER = Kind.PASSED, Kind.STARTER


def files(
    cwd: str = "/srv/ann/shop",
    paths: ModuleType = posixpath,
    installed: frozenset[str] = frozenset(),
    folder: str = "",
) -> SourceFiles:
    windows = paths is ntpath
    return SourceFiles(
        standard=["C:\\Python\\Lib" if windows else "/usr/lib/python3.11"],
        plumbing=["C:\\src\\keptalive" if windows else "/opt/src/keptalive"],
        scripts=["C:\\Python\\Scripts" if windows else "/srv/ann/shop/.venv/bin"],
        cwd=cwd,
        home="C:\\Users\\Ann" if windows else "/srv/ann",
        installed=lambda one: installed if one == folder else frozenset(),
        paths=paths,
    )


SITE = "/srv/ann/shop/.venv/lib/python3.11/site-packages"


@pytest.mark.parametrize(
    ("filename", "module", "kind", "name"),
    [
        ("/srv/ann/shop/prog.py", "__main__", PROGRAM, "prog.py"),
        ("/srv/ann/shop/app/views.py", "app.views", PROGRAM, "app/views.py"),
        ("/srv/ann/other/lib.py", "lib", PROGRAM, "~/other/lib.py"),
        ("/srv/app/lib.py", "lib", PROGRAM, "/srv/app/lib.py"),
        ("prog.py", "__main__", PROGRAM, "prog.py"),
        ("/tmp/ipykernel_71/2718.py", "__main__", PROGRAM, "/tmp/ipykernel_71/2718.py"),
        ("<stdin>", "__main__", PROGRAM, "<stdin>"),
        (f"{SITE}/spotipy/client.py", "spotipy.client", LIBRARY, "spotipy/client.py"),
        (f"{SITE}/six.py", "six", LIBRARY, "six.py"),
        (f"{SITE}/foo-1.0-py3.11.egg/foo/a.py", "foo.a", LIBRARY, "foo/a.py"),
        ("/usr/lib/python3/dist-packages/apt/x.py", "apt.x", LIBRARY, "apt/x.py"),
        ("/usr/lib/python3.11/site-packages/dnf/x.py", "dnf.x", LIBRARY, "dnf/x.py"),
        ("/srv/ann/.pex/0a/foo-1-py3-none-any.whl/foo/a.py", "foo.a", LIBRARY, "foo/a.py"),
        (f"{SITE}/requests/api.py", "requests.api", PASSED, "requests/api.py"),
        (f"{SITE}/pip/_vendor/urllib3/x.py", "pip._vendor.x", PASSED, "pip/_vendor/urllib3/x.py"),
        (f"{SITE}/pip/_vendor/cachecontrol/x.py", "x", RUNNER, "pip/_vendor/cachecontrol/x.py"),
        (f"{SITE}/pip/_vendor/rich/x.py", "pip._vendor.x", LIBRARY, "pip/_vendor/rich/x.py"),
        (f"{SITE}/gevent/threadpool.py", "gevent.threadpool", RUNNER, "gevent/threadpool.py"),
        ("/usr/lib/python3.11/threading.py", "threading", PASSED, None),
        ("<frozen runpy>", "runpy", PASSED, None),
        ("/opt/src/keptalive/watching/api.py", "keptalive.watching.api", PASSED, None),
        ("/opt/src/keptalive_plugin/api.py", "x.api", PROGRAM, "/opt/src/keptalive_plugin/api.py"),
        ("/srv/ann/shop/.venv/bin/celery", "__main__", STARTER, None),
        ("/srv/ann/shop/.venv/bin/sync.py", "__main__", PROGRAM, None),
    ],
)
def test_a_files_path_says_whose_it_is_and_how_it_is_shown(filename, module, kind, name):
    found = files().of(filename, module)
    assert (found.kind, found.name) == (kind, name or found.name)


@pytest.mark.parametrize(
    ("filename", "kind", "name"),
    [
        ("c:\\Work\\app\\prog.py", PROGRAM, "app\\prog.py"),
        ("C:\\Users\\ann\\x.py", PROGRAM, "~\\x.py"),
        ("D:\\x.py", PROGRAM, "D:\\x.py"),
        ("C:\\Python\\Lib\\threading.py", PASSED, "C:\\Python\\Lib\\threading.py"),
        ("C:\\Python\\Lib\\site-packages\\Shop\\a.py", LIBRARY, "Shop/a.py"),
        ("C:\\Python\\Scripts\\pip.exe\\__main__.py", STARTER, None),
        ("C:\\Python\\Scripts\\pip-script.py", STARTER, None),
    ],
)
def test_on_windows_case_and_separators_do_not_matter(filename, kind, name):
    found = files(cwd="C:\\work", paths=ntpath).of(filename, "x.y")
    assert (found.kind, found.name) == (kind, name or found.name)


def test_in_the_root_folder_paths_stay_absolute():
    assert files(cwd="/").of("/opt/app/prog.py", "__main__").name == "/opt/app/prog.py"


def test_a_folder_into_which_packages_were_installed_beside_the_program_has_both():
    both = files(installed=frozenset({"shop", "six.py"}), folder="/var/task")
    assert both.of("/var/task/shop/client.py", "shop.client").kind is LIBRARY
    assert both.of("/var/task/shop/__init__.py", "shop").name == "shop/__init__.py"
    assert both.of("/var/task/six.py", "six").kind is LIBRARY
    assert both.of("/var/task/handler.py", "handler").kind is PROGRAM


RECORD = "shop/__init__.py,sha256=x,1\nsix.py,,\nshop-1.dist-info/RECORD,,\n"


def test_what_installers_record_is_read_from_a_folder_and_from_a_zip_file(tmp_path: Path):
    metadata = tmp_path / "target" / "shop-1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "RECORD").write_text(RECORD)
    with zipfile.ZipFile(tmp_path / "app.pyz", "w") as archive:
        archive.writestr("shop-1.dist-info/RECORD", RECORD)
    for folder in ("target", "app.pyz"):
        assert installed_in(str(tmp_path / folder)) >= {"shop", "six.py"}
    assert installed_in(str(tmp_path)) == frozenset()
    assert installed_in(str(tmp_path / "nothing")) == frozenset()


def test_only_the_main_module_of_a_script_folder_that_starts_a_package_is_passed_over():
    from keptalive.watching.call_site import _only_starts

    frame = sys._getframe()
    starts = "import re, sys\nfrom celery import main\nsys.argv[0] = re.sub('', '', '')\n"
    installers = compile(f"{starts}sys.exit(main())", "celery", "exec")
    own = compile("import sys, spotipy\ndef main():\n    pass\nsys.exit(main())", "sync", "exec")
    assert _only_starts(installers, frame)
    assert not _only_starts(installers, None)
    assert not _only_starts(own, frame)
