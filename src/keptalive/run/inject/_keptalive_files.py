"""Files of a watched process in the folder of its run: private to this user, and no link followed.

Importing pathlib takes longer than all of this.
"""

from __future__ import annotations

import os


def create(path: str, text: str) -> OSError | None:
    """A new file with this text.

    Returns:
        why it is empty: the disk may be full.

    Raises:
        OSError: there is none.
    """
    file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
    try:
        os.write(file, text.encode())
    except OSError as error:  # told to who called, who knows whether it is the program's
        return error
    finally:
        os.close(file)
    return None


def add_byte(path: str) -> None:
    """Make this file longer by one byte."""
    file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    try:
        os.write(file, b".")
    finally:
        os.close(file)


def write(path: str, text: str) -> None:
    """Write this file."""
    # with an encoding, because Python can warn if there is none (the text is ASCII)
    with open(path, "w", encoding="ascii", opener=_privately) as file:
        file.write(text)


def _privately(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)
