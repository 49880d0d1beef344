"""The web tier behind a socket that somebody else keeps, as `carillon-web.socket` does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from deploy.stack.errors import StackError
from deploy.stack.service import Service
from tests.servers import RunningStack

__all__ = ["HeldWeb", "held_web"]

BACKLOG = 4096
# What systemd does between fork and exec: the socket becomes file 3, and is said to be ours.
ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


class HeldWeb:
    """
    gunicorn as the stack declares it, but that its socket stays when it goes.

    Who connects meanwhile waits in the socket's backlog, and notices a pause.
    """

    def __init__(self, stack: RunningStack, listener: socket.socket) -> None:
        self._stack = stack
        self._listener = listener
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it is ready."""
        service = self._service()
        service.prepare()
        number = self._listener.fileno()
        with self._stack.stack.log("web").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", ACTIVATE, str(number), *service.command],
                env=dict(service.env),
                cwd=self._stack.stack.layout.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[number],
                start_new_session=True,
            )
        deadline = time.monotonic() + service.start_seconds
        while not service.ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise StackError(f"The web tier does not start: {self._stack.stack.log('web')}.")
            time.sleep(0.05)

    def stop(self, told: Callable[[], object] = lambda: None) -> float:
        """
        Ask it to end and wait until it has; return how many seconds that took.

        Args:
            told: called once it has been asked.
        """
        assert self._process is not None, "it was started"
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        told()
        self._process.wait(self._service().stop_seconds)
        self._kill_rest()
        return time.monotonic() - began

    def end(self) -> None:
        """Leave nothing of it, however it is."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._kill_rest()

    def _kill_rest(self) -> None:
        """Do what `KillMode=mixed` says: the exporter would take a second to notice."""
        assert self._process is not None
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process = None

    def _service(self) -> Service:
        return next(one for one in self._stack.stack.services([1]) if one.name == "web")


@contextmanager
def held_web(stack: RunningStack) -> Iterator[HeldWeb]:
    """Have a stack's web tier restarted behind a socket of ours, until the end of the block."""
    stack.server("web").stop()
    place = urlsplit(stack.web_url)
    with socket.create_server((place.hostname or "", place.port or 0), backlog=BACKLOG) as listener:
        os.set_inheritable(listener.fileno(), True)
        web = HeldWeb(stack, listener)
        try:
            web.start()
            yield web
        finally:
            web.end()
