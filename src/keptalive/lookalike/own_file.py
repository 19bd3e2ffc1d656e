"""A new file at a given path, which is removed at the end.

No file of somebody else is overwritten or removed, and no symbolic link is followed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def own_file(path: Path, content: bytes) -> Iterator[None]:
    """Within the block there is a new file with this content, which other users may read.

    At the end it is removed, unless somebody has changed or replaced it. It stays open until then,
    so that no other file can get its inode number.

    Raises:
        FileExistsError: the name exists; a symbolic link without a target counts too.
        OSError: it cannot be written.
    """
    descriptor = os.open(path, _FLAGS, 0o644)
    made = os.fstat(descriptor)
    try:
        try:
            with os.fdopen(descriptor, "wb", closefd=False) as file:
                file.write(content)
        finally:  # also if only a part was written
            made = os.fstat(descriptor)
        yield
    finally:
        with suppress(OSError):  # it, or its folder, was removed
            if _is_same(made, path.lstat()):
                path.unlink()
        os.close(descriptor)


def _is_same(made: os.stat_result, now: os.stat_result) -> bool:
    mine = made.st_dev, made.st_ino, made.st_size, made.st_mtime_ns
    return mine == (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns)
