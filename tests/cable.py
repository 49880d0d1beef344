"""A cable to a real server that a test can pull: a TCP relay in a thread."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from typing import Self

__all__ = ["Cable"]


class Cable:
    """
    Listens on a port of its own and relays to a server.

    `cut` breaks all connections and refuses new ones; `freeze` keeps them open and silent; `mend`
    ends either.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._frozen = False
        self._closed = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        # Guards all of the above against the thread.
        self._lock = threading.Lock()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        with self._lock:
            self._closed = True
        self._thread.join(5)
        self._selector.close()

    def cut(self) -> None:
        """Break the cable."""
        with self._lock:
            for each in list(self._pairs):
                self._drop(each)
            if self._listener.fileno() != -1:
                self._selector.unregister(self._listener)
                self._listener.close()

    def freeze(self) -> None:
        """Let nothing through, and break nothing."""
        with self._lock:
            self._frozen = True

    def mend(self) -> None:
        """Let everything through again."""
        with self._lock:
            self._frozen = False
            if self._listener.fileno() == -1:
                self._listener = socket.create_server(("127.0.0.1", self.port))
                self._selector.register(self._listener, selectors.EVENT_READ)

    def _run(self) -> None:
        while True:
            ready = self._selector.select(0.02)
            with self._lock:
                if self._closed:
                    return
                frozen = self._frozen
                for key, _ in [] if frozen else ready:
                    assert isinstance(key.fileobj, socket.socket)
                    self._serve(key.fileobj)
            if frozen:
                time.sleep(0.01)

    def _serve(self, ready: socket.socket) -> None:
        if ready.fileno() == -1:
            return
        if ready is self._listener:
            near, _ = ready.accept()
            far = socket.create_connection(self._server)
            for one, other in ((near, far), (far, near)):
                self._pairs[one] = other
                self._selector.register(one, selectors.EVENT_READ)
            return
        try:
            data = ready.recv(65536)
        except OSError:
            data = b""
        if data:
            with contextlib.suppress(OSError):
                self._pairs[ready].sendall(data)
        else:
            self._drop(ready)

    def _drop(self, one: socket.socket) -> None:
        other = self._pairs.pop(one, None)
        for each in (one, other):
            if each is not None and each.fileno() != -1:
                self._pairs.pop(each, None)
                self._selector.unregister(each)
                each.close()
