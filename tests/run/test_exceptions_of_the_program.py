"""What a signal handler of the program's raises while our code runs arrives in the program."""

from __future__ import annotations

import sys
import textwrap

import pytest

from keptalive.run.inject._keptalive_faults import is_ours

from .running import code, connects, ended, quickly, watched

HANDLER = """
import calls, os, signal, subprocess, sys
class Own(Exception): pass
def handler(number, frame):
    RAISES
signal.signal(signal.SIGUSR1, handler)
"""
OWN, BUILT_IN = "an exception of its own", "a built-in exception"
OS_ERROR = "an OSError that subprocess raises for it"
RAISES = {
    OWN: "raise Own",
    BUILT_IN: "raise LookupError",
    OS_ERROR: "subprocess.run(['/no/such/program'])",
    "SystemExit": "sys.exit(7)",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
}
NAMES = dict(
    zip(
        RAISES,
        ("Own", "LookupError", "FileNotFoundError", "SystemExit", "KeyboardInterrupt"),
        strict=True,
    )
)


@pytest.fixture
def struck(monkeypatch):
    """Run a program with a handler that raises, called for while our code is where it is asked."""

    def run(where: str, raises: str, text: str) -> object:
        monkeypatch.setenv("KEPTALIVE_TEST_STRIKES", where)
        program = HANDLER.replace("RAISES", RAISES[raises]) + textwrap.dedent(text)
        return code(program, watcher="counting.start_struck")

    return run


@pytest.mark.parametrize("raises", quickly(RAISES, BUILT_IN, OS_ERROR))
def test_what_strikes_while_a_note_is_taken_arrives(raises, struck, capfd):
    text = """
        import http.client
        try: http.client.HTTPConnection("127.0.0.1", 9, timeout=5).connect()
        except ConnectionRefusedError: print("nothing")
        except BaseException as error: print(type(error).__name__)
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        """
    ran = struck("report", raises, text)
    assert capfd.readouterr() == (f"{NAMES[raises]}\n", "")
    assert (ran.exit_code, ended(ran), connects(ran)) == (0, ["exit"], [1])


@pytest.mark.parametrize("raises", quickly(RAISES, OWN, BUILT_IN))
def test_what_strikes_before_an_exec_arrives(raises, struck, capfd):
    text = """
        try: os.execv("/bin/true", ["true"])
        except BaseException as error: print(type(error).__name__)
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        """
    ran = struck("report", raises, text)
    assert capfd.readouterr() == (f"{NAMES[raises]}\n", "")
    assert (ran.exit_code, ended(ran)) == (0, ["exit"])


@pytest.mark.parametrize("raises", quickly(RAISES, OS_ERROR, "KeyboardInterrupt"))
def test_what_strikes_at_the_very_end_keeps_the_exit_code(raises, struck, capfd):
    for end, exit_code in (("os._exit(4)", 4), ("sys.exit(3)", 3)):
        assert struck("report", raises, end).exit_code == exit_code
    assert NAMES[raises] in capfd.readouterr().err  # as of any function that is called at exit


@pytest.mark.parametrize(
    "raises",
    quickly(
        [name for name in RAISES if name != "SystemExit"],
        "an exception of its own",
        "a built-in exception",
    ),
)
def test_what_strikes_after_a_fork_is_printed_by_python_and_the_child_is_said_to_be_unwatched(
    raises, struck, capfd
):
    ran = struck("fork", raises, "calls.connect(2)\nif os.fork(): os.wait()\nelse: calls.connect()")
    assert (ran.exit_code, connects(ran), ran.processes_without_report) == (0, [2], 1)
    assert any("not watched since its fork: it was interrupted" in line for line in ran.warnings)
    assert NAMES[raises] in capfd.readouterr().err


@pytest.mark.parametrize("raises", quickly(RAISES, BUILT_IN, "SystemExit"))
def test_what_strikes_while_we_start_arrives_in_the_agent_that_handles_it(
    raises, tmp_path, monkeypatch, capfd
):
    text = f"""
import os, signal, subprocess, sys
class Own(Exception): pass
def handler(number, frame):
    {RAISES[raises]}
signal.signal(signal.SIGUSR1, handler)
here = os.path.dirname(__file__)
sys.path.remove(here)
from importlib.machinery import PathFinder
try: PathFinder.find_spec("sitecustomize").loader.load_module("sitecustomize")
except BaseException as error: print(type(error).__name__)
"""
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent" / "sitecustomize.py").write_text(text)
    monkeypatch.setenv("KEPTALIVE_TEST_STRIKES", "start")
    command = f"PYTHONPATH={tmp_path / 'agent'}:$PYTHONPATH exec {sys.executable} -c 'print(2)'"
    ran = watched("sh", "-c", command, watcher="counting.start_struck")
    assert (ran.exit_code, capfd.readouterr().out) == (0, f"{NAMES[raises]}\n2\n")


IMPORTS = """
import os, signal, sys
class Own(Exception): pass
def handler(number, frame):
    RAISES
signal.signal(signal.SIGUSR1, handler)

class Strikes:
    def find_spec(self, name, path=None, target=None):
        if name == "keptalive.watching.api" and self in sys.meta_path:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGUSR1)
sys.meta_path.insert(0, Strikes())
try: import MODULE
except BaseException as error: print(type(error).__name__)
import MODULE
"""


@pytest.mark.parametrize("module", ["requests", "urllib3"])
@pytest.mark.parametrize(
    "raises",
    quickly([OWN, BUILT_IN, "SystemExit"], BUILT_IN),
)
def test_what_strikes_while_requests_is_imported_arrives_and_the_next_import_is_watched(
    raises, module, monkeypatch, capfd
):
    monkeypatch.delenv("PYTHONPATH")
    text = IMPORTS.replace("RAISES", RAISES[raises]).replace("MODULE", module)
    ran = code(
        f"{text}\nimport {module}\n"
        "from keptalive.watching import api as watch\n"
        "print(watch.WATCHING._observer is not None)",
        watcher="keptalive.run.process_watcher.begin",
    )
    assert capfd.readouterr() == (f"{NAMES[raises]}\nTrue\n", "")
    assert (ran.exit_code, ran.warnings) == (0, ())


BROKEN = {
    "a module that is missing": "import no_such_module",
    "a library that does not fit": "raise AttributeError('urllib3 has no such thing')",
    "an error of its own": "from urllib3.exceptions import HTTPError\nraise HTTPError",
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_requests_is_no_trouble_to_a_program_that_uses_urllib3_only(
    fault, tmp_path, monkeypatch, capfd
):
    (tmp_path / "broken" / "requests").mkdir(parents=True)
    (tmp_path / "broken" / "requests" / "__init__.py").write_text(BROKEN[fault])
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))
    ran = code("import urllib3; print('fine')", watcher="keptalive.run.process_watcher.begin")
    assert capfd.readouterr() == ("fine\n", "")
    assert "not watched" in ran.records[0].warnings[0]


def caught(function: object) -> BaseException:
    with pytest.raises(BaseException) as raised:  # noqa: PT011
        function()
    return raised.value


def of_module(name: str, text: str) -> object:
    namespace = {"__name__": name}
    exec(text, namespace)
    return namespace["f"]


def test_a_fault_of_our_code_is_ours_and_one_of_a_library_function_that_it_calls():
    ours = of_module("keptalive.watching.x", "def f(*how): return [][how[0]() if how else 0]")
    ours_alone = caught_within(ours)
    assert is_ours(ours_alone)
    missing = of_module(
        "_keptalive_x", "import pathlib\ndef f(): pathlib.Path('/no/such').read_text()"
    )
    assert is_ours(caught_within(missing))


def caught_within(function: object) -> BaseException:
    """As caught by a frame of ours: the test's own frame is not on the way."""
    error = caught(function)
    trace = error.__traceback__
    while trace.tb_frame.f_code.co_name != "f":
        trace = trace.tb_next
    return error.with_traceback(trace)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("__main__", "def f(): raise ValueError"),
        ("program", "def f(): raise ValueError"),
        ("unittest.mock", "def f(): raise ValueError"),
        ("keptalive.x", "class Own(Exception): __module__ = 'program'\ndef f(): raise Own"),
        ("keptalive.x", "def f(): raise SystemExit"),
        ("keptalive.x", "def f(): raise KeyboardInterrupt"),
        ("keptalivelike", "def f(): raise ValueError"),
        (None, "def f(): raise ValueError"),
    ],
)
def test_an_exception_of_the_programs_is_not_ours(name, text):
    assert not is_ours(caught_within(of_module(name, text)))


def test_an_exception_that_passed_a_frame_of_the_programs_is_not_ours():
    inner = of_module("json.decoder", "def f(): raise ValueError")
    handler = of_module("program", "def f(): inner()")
    handler.__globals__["inner"] = inner
    ours = of_module("keptalive.x", "def f(): handler()")
    ours.__globals__["handler"] = handler
    assert not is_ours(caught_within(ours))
    assert is_ours(caught_within(ours), {"program"})


def test_an_exception_that_nobody_raised_is_not_ours():
    assert not is_ours(ValueError())
