"""A file that is ours: it was not there before, and goes at the end if it is still the one we made.

Nothing of anybody's is overwritten or removed, and no symbolic link is followed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def own_file(path: Path, content: bytes) -> Iterator[None]:
    """With a new file of this content, which others may read.

    Afterwards it is removed, unless somebody has changed it or put another in its place. It stays
    open until then, so that no other file can be given its number on the disk.

    Raises:
        FileExistsError: there is something of that name, be it a link that leads nowhere.
        OSError: it cannot be written.
    """
    descriptor = os.open(path, _FLAGS, 0o644)
    made = os.fstat(descriptor)
    try:
        try:
            with os.fdopen(descriptor, "wb", closefd=False) as file:
                file.write(content)
        finally:  # what was written of it is ours as well
            made = os.fstat(descriptor)
        yield
    finally:
        with suppress(OSError):  # somebody has removed it, or its folder
            if _is_same(made, path.lstat()):
                path.unlink()
        os.close(descriptor)


def _is_same(made: os.stat_result, now: os.stat_result) -> bool:
    mine = made.st_dev, made.st_ino, made.st_size, made.st_mtime_ns
    return mine == (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns)
