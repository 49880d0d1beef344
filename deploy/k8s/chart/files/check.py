"""
What `helm test` asks an installed release: check.py URL ORIGIN [SECONDS].

Through nginx, as a browser would: the page to sign in, a file that it needs, a WebSocket that a
gateway answers; and what must not be reached from outside. Only Python's own library, so that it
runs in the image as it is.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import socket
import ssl
import struct
import sys
import time
from collections.abc import Callable
from urllib.parse import urlsplit

LOGIN = "/accounts/login/"
SOCKET = "/connection/websocket"
INTERNAL = ("/metrics", "/readyz", "/livez", "/drain")
# A gateway tells whoever shows neither a token nor a session that it is nobody.
NOBODY = 3501


class Failed(Exception):
    """Something is not as it has to be; the text says what."""


class Site:
    """A release behind its nginx, asked under its public name."""

    def __init__(self, url: str, origin: str) -> None:
        where = urlsplit(url)
        self.host, self.port = where.hostname or "", where.port or 80
        self.has_tls = where.scheme == "https"
        self.origin = origin
        self.name = urlsplit(origin).netloc
        self.headers = {"Host": self.name, "X-Forwarded-Proto": urlsplit(origin).scheme}

    def connect(self) -> socket.socket:
        """Return a connection to nginx; its certificate is for others to look at."""
        opened = socket.create_connection((self.host, self.port), timeout=10)
        if not self.has_tls:
            return opened
        # It names the public host, and who signed it need not be known inside the cluster.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context.wrap_socket(opened, server_hostname=urlsplit(self.origin).hostname)

    def get(self, path: str) -> tuple[int, str]:
        """Return the status and the text of an answer."""
        connection = http.client.HTTPConnection(self.host, self.port)
        connection.sock = self.connect()
        try:
            connection.request("GET", path, headers=self.headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            connection.close()

    def handshake(self) -> socket.socket:
        """Return a socket that a gateway has accepted."""
        opened = self.connect()
        lines = [
            f"GET {SOCKET} HTTP/1.1",
            *(f"{name}: {value}" for name, value in self.headers.items()),
            f"Origin: {self.origin}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        ]
        opened.sendall("\r\n".join([*lines, "", ""]).encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            # One by one: what follows is the first frame.
            head += read(opened, 1)
        status = head.split(b"\r\n", 1)[0].decode()
        if " 101 " not in f"{status} ":
            opened.close()
            raise Failed(f"the handshake was answered with {status!r}")
        return opened


def read(opened: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        part = opened.recv(length - len(data))
        if not part:
            raise Failed("the connection ended before it was answered")
        data += part
    return data


def send(opened: socket.socket, text: str) -> None:
    """Send a short text frame, masked as those of clients are."""
    payload, mask = text.encode(), os.urandom(4)
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    opened.sendall(bytes([0x81, 0x80 | len(payload)]) + mask + masked)


def receive(opened: socket.socket) -> tuple[int, bytes]:
    """Return the kind and the content of the next frame."""
    first, second = read(opened, 2)
    length = second & 0x7F
    if length == 126:
        (length,) = struct.unpack("!H", read(opened, 2))
    return first & 0x0F, read(opened, length)


def sign_in_page(site: Site) -> str:
    """The page is there; so is the first file that it names."""
    status, text = site.get(LOGIN)
    if status != 200 or "<form" not in text:
        raise Failed(f"{LOGIN} was answered with {status}")
    found = re.search(r'(?:src|href)="(/static/[^"]+)"', text)
    if found is None:
        raise Failed(f"{LOGIN} names no static file")
    status, _ = site.get(found[1])
    if status != 200:
        raise Failed(f"{found[1]} was answered with {status}")
    return f"{LOGIN} and {found[1]} are there"


def gateway(site: Site) -> str:
    """A gateway takes the handshake, and says in its protocol that this is nobody."""
    opened = site.handshake()
    with opened:
        send(opened, json.dumps({"id": 1, "connect": {}}))
        while True:
            kind, content = receive(opened)
            if kind == 0x8:
                code = struct.unpack("!H", content[:2])[0] if len(content) >= 2 else 1005
                if code != NOBODY:
                    raise Failed(f"the gateway closed with {code}, not with {NOBODY}")
                return f"a gateway answered: {NOBODY} {content[2:].decode(errors='replace')}"
            if kind == 0x1 and b'"connect"' in content:
                # An app lets anonymous clients in.
                return "a gateway answered, and let an anonymous client in"


def nothing_internal(site: Site) -> str:
    """What is for operators is not for the public."""
    for path in INTERNAL:
        status, _ = site.get(path)
        if status != 404:
            raise Failed(f"{path} was answered with {status}, not with 404")
    return "metrics, health and drain are not reached from outside"


def passes(check: Callable[[Site], str], site: Site, until: float) -> bool:
    """Try until it passes or time is up: a pod that has just come may need a moment."""
    while True:
        try:
            words = check(site)
        except (Failed, OSError, http.client.HTTPException) as error:
            if time.monotonic() >= until:
                sys.stdout.write(f"FAILED  {check.__name__}: {error}\n")
                return False
            time.sleep(1)
        else:
            sys.stdout.write(f"passed  {check.__name__}: {words}\n")
            return True


def main(url: str, origin: str, seconds: str = "30") -> int:
    """Return 0 when all is well."""
    site, until = Site(url, origin), time.monotonic() + float(seconds)
    results = [passes(check, site, until) for check in (sign_in_page, gateway, nothing_internal)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
