"""
`python -m tests.load.fanout.misfits PORT STALLED FLOODING PER_SECOND`: clients as they must not be.

The stalled ones subscribe and never read, with so small a buffer that what they do not take waits
in the server. The flooding ones read, and each sends so many small messages a second, or as many as
the server takes, until it is cut; then it comes back within two seconds. It says when all are
subscribed, answers each line of stdin with what has become of them, and ends with stdin.
"""

from __future__ import annotations

import json
import os
import random
import select
import socket
import sys
import time
from contextlib import suppress

REQUEST = (
    "GET /sub HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\nOrigin: http://127.0.0.1:{port}\r\n\r\n"
)
# Masked with zeros, which leaves the text as it is.
MESSAGE = bytes((0x81, 0x80 | 8, 0, 0, 0, 0)) + b'{"a": 1}'
STALLED_BUFFER, STALLED_SEGMENT = 4096, 1460
# How often a flooding client writes what has become due.
TICK_SECONDS = 0.01
# A flooding client begins, and comes back, at any time within this.
AWAY_SECONDS = 2.0


class Flooder:
    """One connection that sends more than it may."""

    def __init__(self, port: int, per_second: int) -> None:
        self.sent = self.cut = 0
        self._port = port
        self._tick = MESSAGE * int(per_second * TICK_SECONDS)
        self._begin()

    def _begin(self) -> None:
        self.socket = connect(self._port)
        self.socket.setblocking(False)
        self._rest = b""
        self._is_open = True
        self._begins = time.monotonic() + random.uniform(0, AWAY_SECONDS)

    def turn(self) -> None:
        """Read what has come, and write as much as is taken of what is due."""
        if time.monotonic() < self._begins:
            return
        if not self._is_open:
            self._begin()
            return
        try:
            with suppress(BlockingIOError):
                if not self.socket.recv(65_536):
                    self._end()
                    return
            with suppress(BlockingIOError):
                data = self._rest or self._tick
                written = self.socket.send(data)
                self._rest = data[written:]
                self.sent += written
        except OSError:
            self._end()

    def _end(self) -> None:
        self._is_open = False
        self.cut += 1
        self.socket.close()
        self._begins = time.monotonic() + random.uniform(0, AWAY_SECONDS)


def connect(port: int, *, is_stalled: bool = False) -> socket.socket:
    """Open a connection, whose handshake is done."""
    one = socket.socket()
    if is_stalled:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, STALLED_BUFFER)
        # As over a network; for loopback's segments the server's kernel would keep megabytes.
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, STALLED_SEGMENT)
    one.connect(("127.0.0.1", port))
    one.sendall(REQUEST.format(port=port).encode())
    answer = b""
    # A byte at a time: what follows the answer is not to be read.
    while not answer.endswith(b"\r\n\r\n"):
        if not (more := one.recv(1)):
            raise ConnectionError("The server turned a handshake down.")
        answer += more
    return one


def is_cut(one: socket.socket) -> bool:
    """Tell whether the server has ended a connection from which nothing is read."""
    waiting = select.poll()
    waiting.register(one, select.POLLRDHUP)
    return bool(waiting.poll(0))


def main(arguments: list[str]) -> None:
    port, stalled_count, flooding_count, per_second = map(int, arguments)
    stalled = [connect(port, is_stalled=True) for _ in range(stalled_count)]
    flooding = [Flooder(port, per_second) for _ in range(flooding_count)]
    print(json.dumps({"stalled": len(stalled), "flooding": len(flooding)}), flush=True)
    due = time.monotonic()
    while True:
        for one in flooding:
            one.turn()
        due = max(due + TICK_SECONDS, time.monotonic())
        if select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
            if not os.read(sys.stdin.fileno(), 4096):
                return
            state = {
                "stalled_cut": sum(map(is_cut, stalled)),
                "flooding_cut": sum(one.cut for one in flooding),
                "messages": sum(one.sent for one in flooding) // len(MESSAGE),
            }
            print(json.dumps(state), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
