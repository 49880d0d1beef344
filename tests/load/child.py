"""Processes that make load beside the one that measures, each with an event loop of its own."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from collections.abc import Callable, Coroutine
from multiprocessing.connection import Connection
from typing import Any

__all__ = ["Child", "commands"]

# A fresh interpreter: a fork would take the measuring process's connections along.
_context = multiprocessing.get_context("spawn")


class Child:
    """A process that answers what it is asked through a pipe; it ends with its owner."""

    def __init__(self, work: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
        """
        Args:
            work: a module's coroutine function, called with the child's end of the pipe first.
            arguments: its other arguments; they are pickled.
        """
        self._pipe, theirs = _context.Pipe()
        self._process = _context.Process(
            target=_run, args=(work, theirs, *arguments), name=work.__name__, daemon=True
        )
        self._process.start()
        theirs.close()

    def hear(self, seconds: float) -> Any:
        """
        Wait for what the child says next.

        Raises:
            RuntimeError: it has ended, or says nothing for so long.
        """
        name = self._process.name
        if not self._pipe.poll(seconds):
            raise RuntimeError(f"The load process `{name}` said nothing for {seconds:g} s.")
        try:
            return self._pipe.recv()
        except EOFError:
            raise RuntimeError(f"The load process `{name}` ended: see its traceback.") from None

    def ask(self, command: str, seconds: float = 30) -> Any:
        """Send a command and return the answer."""
        self._pipe.send(command)
        return self.hear(seconds)

    def end(self) -> None:
        """End the process; nothing happens when it has ended."""
        self._process.terminate()
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._pipe.close()


def _run(work: Callable[..., Coroutine[Any, Any, None]], pipe: Connection, *arguments: Any) -> None:
    # Ctrl-C reaches the whole terminal; whoever owns this process ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(work(pipe, *arguments))


def commands(pipe: Connection) -> asyncio.Queue[str]:
    """Return a queue that fills with what the owner asks; without the owner the process ends."""
    queue: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def read() -> None:
        try:
            queue.put_nowait(pipe.recv())
        except EOFError:
            raise SystemExit from None

    loop.add_reader(pipe.fileno(), read)
    return queue
