"""
The allocator: memory of connections that have left goes back to the system.

Python's own keeps small objects in arenas of 1 MiB, of which a few survivors keep each: after 5,000
connections came and went a gateway kept 33 MB of their 66. With the C library's, and told to return
what is free, it kept 5 MB once and then 0.2 MB each time; neither fan-out nor accepts took longer.
"""

from __future__ import annotations

import ctypes
import os
import sys

from shared.settings import env

__all__ = ["give_back", "restart_with_system_malloc"]

_VARIABLE = "PYTHONMALLOC"


def restart_with_system_malloc() -> None:
    """
    Start this process again, by exec, with the C library's allocator; a no-op the second time.

    To be called before anything else: Python chooses when it starts. Not where the C library is
    another one than glibc, or where somebody has chosen already.
    """
    if _trim() is not None and not env.text(_VARIABLE, ""):
        env.assign(_VARIABLE, "malloc")
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - ourselves


def give_back() -> None:
    """Return free memory to the system, which glibc else keeps for later; elsewhere do nothing."""
    if (trim := _trim()) is not None:
        trim(0)


def _trim() -> ctypes._NamedFuncPointer | None:
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
