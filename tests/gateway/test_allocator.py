"""The allocator, in processes of its own: Python chooses when it starts."""

from __future__ import annotations

from tests.processes import python

_TELL = """
import os, sys
from services.gateway import allocator
allocator.restart_with_system_malloc()
print(os.environ["PYTHONMALLOC"], flush=True)
allocator.give_back()
print(sys.argv[1:], flush=True)
"""


def test_starts_again_with_the_systems() -> None:
    """Once, with the same arguments; then it goes on."""
    told = python("-c", _TELL, "a b", "-x", environment={})
    assert told.stdout == "malloc\n['a b', '-x']\n", told.stderr


def test_keeps_what_somebody_has_chosen() -> None:
    """Such as the debugging one."""
    told = python("-c", _TELL, environment={"PYTHONMALLOC": "debug"})
    assert told.stdout == "debug\n[]\n", told.stderr
