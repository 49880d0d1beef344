"""The server of these tests: a process of its own, so that its memory and its end can be seen."""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.gateway.transport.rawclient import TEXT, RawClient
from tests.processes import ROOT

__all__ = ["Child"]

_SECONDS = 20.0


class Child:
    """
    A running `tests.gateway.transport.application`.

    Attributes:
        port: where it listens, on 127.0.0.1.
        process: to be signalled by its pid only.
    """

    def __init__(self, folder: Path, *arguments: str) -> None:
        """Start it, with its stderr in a file of a folder, and wait until it listens."""
        self._errors = folder / "stderr.txt"
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.gateway.transport.application", *arguments],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self.process.stdout is not None, "It was asked for as a pipe."
        ready, _, _ = select.select([self.process.stdout], [], [], _SECONDS)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            self.kill()
            raise AssertionError(f"The server did not start: {self.errors()}")
        self.port = int(line)
        self._stats: RawClient | None = None

    def connect(self, **how: Any) -> RawClient:
        """Return a TCP connection to it."""
        return RawClient(self.port, **how)

    def open(self, path: str = "/echo", **how: Any) -> RawClient:
        """Return a WebSocket to it."""
        return self.connect().open(path, **how)

    def stats(self) -> dict[str, Any]:
        """Return what it has counted; asking costs one connection, the same each time."""
        if self._stats is not None:
            try:
                self._stats.send("?")
                got = self._stats.read()
            except (OSError, EOFError):
                pass
            else:
                if got.opcode == TEXT:
                    return json.loads(got.text)
            # Closed, because pings were not answered while nothing was to be read.
            self._stats.socket.close()
        self._stats = self.open("/stats")
        self._stats.send("?")
        return self._stats.read_json()

    def eventually(
        self, condition: Callable[[dict[str, Any]], Any], *, seconds: float = _SECONDS
    ) -> dict[str, Any]:
        """Wait until its counts are as wanted, and return them."""
        deadline = time.monotonic() + seconds
        while not condition(stats := self.stats()):
            assert time.monotonic() < deadline, f"It did not come to that: {stats}"
            time.sleep(0.02)
        return stats

    def errors(self) -> str:
        """Return what it has logged."""
        return self._errors.read_text()

    def eventually_logs(self, words: str) -> None:
        """Wait until it has logged something."""
        deadline = time.monotonic() + _SECONDS
        while words not in self.errors():
            assert time.monotonic() < deadline, f"It did not log {words!r}: {self.errors()}"
            time.sleep(0.01)

    def signal(self, number: int = signal.SIGTERM) -> None:
        """Tell it to end."""
        self.process.send_signal(number)

    def last_words(self, *, seconds: float = _SECONDS) -> dict[str, Any]:
        """Wait until it has ended by itself, and return what it had counted."""
        output, _ = self.process.communicate(timeout=seconds)
        return json.loads(output.splitlines()[-1])

    def kill(self) -> None:
        """End it at once; one that has ended already is no matter."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
