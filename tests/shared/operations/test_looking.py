"""Several probes at once."""

from __future__ import annotations

import threading
import time

from shared.operations.looking import Looked, look_at_all


def test_one_that_hangs_and_one_that_fails() -> None:
    """They are findings within the time, and what the others saw is told all the same."""
    forever = threading.Event()

    def hang() -> Looked:
        forever.wait()
        return Looked()

    def fail() -> Looked:
        raise RuntimeError("out of\norder")

    began = time.monotonic()
    try:
        seen = look_at_all(
            {"one": hang, "two": fail, "three": lambda: Looked({"n": 3}), "four": hang}, 0.2
        )
    finally:
        forever.set()
    assert time.monotonic() - began < 2
    assert list(seen) == ["one", "two", "three", "four"]
    assert seen["three"].facts == {"n": 3}
    assert seen["three"].findings == []
    words = {name: [str(f.msg) for f in looked.findings] for name, looked in seen.items()}
    assert words["one"] == ["one: no answer in 0.2 s"]
    assert words["two"] == ["two: the check itself failed (RuntimeError: out of order)"]
