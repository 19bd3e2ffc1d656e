"""A log in any form of bytes."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import subprocess
import sys

import pytest
from tests.logs.logs import ANSWER, ASKED, START, STARTED, events, lines, reading, seen

from keptalive import logs
from keptalive.errors import UsageError

LOG = f"DEBUG:urllib3.connectionpool:{STARTED}\nnoise\nDEBUG:urllib3.connectionpool:{ASKED}\n"


def test_a_path_is_read(tmp_path):
    path = tmp_path / "a.log"
    path.write_text(LOG)
    for given_as in (path, str(path)):
        log = logs.read(given_as)
        assert [one.event for one in lines(log)] == [START, ANSWER]
        assert (log.lines, log.bytes) == (3, len(LOG))


def test_standard_input_is_read():
    code = (
        "from keptalive import logs\n"
        "log = logs.read('-')\n"
        "assert sum(map(len, log)) == 2 and log.lines == 3"
    )
    subprocess.run([sys.executable, "-c", code], input=LOG.encode(), check=True, timeout=30)


@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress(LOG.encode()),
        gzip.compress(LOG[:60].encode()) + gzip.compress(LOG[60:].encode()),
        gzip.compress(LOG.encode()) + b"\0" * 512,
    ],
    ids=["one member", "two members", "padded"],
)
def test_gzip_is_unpacked_whatever_it_is_called(packed):
    log = reading(packed)
    assert [one.event for one in lines(log)] == [START, ANSWER]
    assert (log.bytes, log.ended_early) == (len(LOG), False)


def test_a_damaged_gzip_is_read_as_far_as_it_goes():
    whole = gzip.compress(os.urandom(50_000).hex().encode() + b"\n" + LOG.encode() * 100)
    for packed, count in ((whole[:-2000], 1), (whole + b"junk", 301)):
        log = reading(packed)
        list(log)
        assert (log.lines, log.ended_early) == (count, True)
    log = reading(whole[:30000] + b"x" * 99 + whole[30099:])
    assert not lines(log)
    assert log.ended_early


def test_what_powershell_redirects_is_read():
    for bom, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        assert events(bom + LOG.replace("\n", "\r\n").encode(encoding)) == [START, ANSWER]
    assert events(codecs.BOM_UTF8 + LOG.encode()) == [START, ANSWER]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_pieces_of_any_size_make_the_same_lines(size):
    class Drop(io.BytesIO):
        def read1(self, _size=-1):
            return super().read1(size)

    expected = seen(LOG * 3)
    assert expected == lines(logs.read(Drop((LOG * 3).encode())))
    assert expected == lines(logs.read(Drop(gzip.compress((LOG * 3).encode()))))


@pytest.mark.parametrize("name", ["missing.log", "."])
def test_a_log_that_cannot_be_read_is_wrong_usage(tmp_path, name):
    with pytest.raises(UsageError, match="The log cannot be read"):
        list(logs.read(tmp_path / name))
