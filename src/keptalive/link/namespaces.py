"""Linux namespaces: making one of our own, entering another process's, and the way back.

`os.unshare` and `os.setns` exist from Python 3.12 on; here libc's functions are called.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CLONE_NEWUSER = 0x10000000  # linux/sched.h
_CLONE_NEWNET = 0x40000000


class NamespaceError(OSError):
    """The system does not allow it; the text says what, in a few words."""


def unshare_network() -> bool:
    """Move this process into a new network namespace; whether that took a user namespace too.

    A user namespace makes it possible without root, and cannot be left again.

    Raises:
        NamespaceError: the system does not allow either.
    """
    if sys.platform != "linux":
        raise NamespaceError("it takes Linux")
    try:
        _call("unshare", _CLONE_NEWNET)
    except PermissionError:
        _unshare_user()
        return True
    except OSError as error:
        raise NamespaceError(f"no network namespace: {error.strerror}") from None
    return False


def _unshare_user() -> None:
    user, group = os.geteuid(), os.getegid()
    try:
        _call("unshare", _CLONE_NEWUSER | _CLONE_NEWNET)
        own = Path("/proc/self")
        (own / "setgroups").write_text("deny")
        (own / "uid_map").write_text(f"{user} {user} 1")
        (own / "gid_map").write_text(f"{group} {group} 1")
    except OSError as error:
        raise NamespaceError(
            f"it takes root, or a user namespace, which is not allowed here ({error.strerror})"
        ) from None


@contextmanager
def entered(process: int, *, user: bool) -> Iterator[None]:
    """Put this thread, and what it starts in the block, into that process's network namespace.

    Args:
        process: its id.
        user: it is in a user namespace of its own: then this process goes there too, and stays.

    Raises:
        NamespaceError: the system does not allow it.
    """
    with _opened(f"/proc/{process}/ns/net") as there, _opened("/proc/thread-self/ns/net") as here:
        try:
            if user:
                _enter_user(process)
            _call("setns", there, _CLONE_NEWNET)
        except NamespaceError:
            raise
        except OSError as error:
            raise NamespaceError(f"its namespace cannot be entered: {error.strerror}") from None
        try:
            yield
        finally:
            if not user:
                _call("setns", here, _CLONE_NEWNET)


def _enter_user(process: int) -> None:
    if threading.active_count() > 1:  # setns(2): only a process with one thread may
        raise NamespaceError("its namespace cannot be entered: this process has threads")
    with _opened(f"/proc/{process}/ns/user") as namespace:
        _call("setns", namespace, _CLONE_NEWUSER)


@contextmanager
def _opened(path: str) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise NamespaceError(f"no access to {path}: {error.strerror}") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _call(function: str, *numbers: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, function)(*map(ctypes.c_int, numbers)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
