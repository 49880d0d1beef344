"""
nginx as its container runs it, in front of stand-ins on addresses of the loopback.

The entrypoint and what it reads are copied into a folder, as into an image, and run as a user who
may write nowhere but below the folder for temporary files.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from deploy.stack.layout import Layout
from tests.deploy.nginx_environments import ENTRYPOINT
from tests.deploy.nginx_stand_ins import Names, StandIn

__all__ = ["SOCKET", "Answer", "Front"]

SOCKET = "/ws/chat/lobby/"

# Who the images' user is.
USER = 10001


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def seen(self) -> dict[str, Any]:
        """What reached the stand-in: its own `address`, the request's `path` and `headers`."""
        seen: dict[str, Any] = json.loads(self.body)
        return seen


class Front:
    """nginx, its stand-ins and what a client needs to come in."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.folder = layout.state
        self.port = layout.port
        self.tls_port = layout.base + 1
        self.internal_port = layout.nginx_status
        self.names_port = layout.base + 2
        self.web_port = layout.web
        self.gateway_port = layout.gateway(1)
        self.names = Names()
        self.stand_ins: list[StandIn] = []
        self.process: asyncio.subprocess.Process | None = None
        self.folder.mkdir(mode=0o755)
        self.folder.chmod(0o755)
        shutil.copytree(ENTRYPOINT.parent, self.folder / "image", copy_function=shutil.copy)
        for path in (self.folder / "image", *(self.folder / "image").iterdir()):
            path.chmod(0o755)
        (self.folder / "static").mkdir()
        self.log = self.own("access.log")
        self.errors = self.own("errors.log")
        (self.folder / "tmp").mkdir()
        if os.geteuid() == 0:
            os.chown(self.folder / "tmp", USER, USER)

    def own(self, name: str, content: str = "") -> Path:
        """Make a file that nginx may open."""
        path = self.folder / name
        path.write_text(content)
        if os.geteuid() == 0:
            os.chown(path, USER, USER)
        path.chmod(0o600)
        return path

    @classmethod
    @asynccontextmanager
    async def temporary(cls) -> AsyncIterator[Front]:
        with Layout.temporary() as layout:
            front = cls(layout)
            try:
                await front.names.start(front.names_port)
                yield front
            finally:
                await front.stop()
                for stand_in in front.stand_ins:
                    await stand_in.close()
                if front.names.transport is not None:
                    front.names.transport.close()

    async def gateway(self, address: str = "127.0.0.1") -> StandIn:
        self.stand_ins.append(await StandIn(address, self.gateway_port).start())
        return self.stand_ins[-1]

    async def web(self, address: str = "127.0.0.1") -> StandIn:
        self.stand_ins.append(await StandIn(address, self.web_port).start())
        return self.stand_ins[-1]

    def environment(self, settings: Mapping[str, str]) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "CARILLON_PUBLIC_ORIGINS": "http://chat.test",
            "CARILLON_NGINX_PORT": str(self.port),
            "CARILLON_NGINX_TLS_PORT": str(self.tls_port),
            "CARILLON_INTERNAL_HOST": "127.0.0.1",
            "CARILLON_INTERNAL_PORT": str(self.internal_port),
            "CARILLON_NGINX_STATE": str(self.folder / "tmp" / "nginx"),
            "CARILLON_STATIC_ROOT": str(self.folder / "static"),
            "CARILLON_NGINX_WEB": f"127.0.0.1:{self.web_port}",
            "CARILLON_NGINX_WORKERS": "1",
            "CARILLON_NGINX_HANDSHAKES_PER_SECOND": "1000",
            **settings,
        }

    @property
    def static(self) -> dict[str, str]:
        """Settings for one gateway with a fixed address."""
        return {"CARILLON_NGINX_GATEWAYS": f"127.0.0.1:{self.gateway_port}"}

    @property
    def resolved(self) -> dict[str, str]:
        """Settings for gateways, and a web tier, that have names."""
        return {
            "CARILLON_GATEWAY_RESOLVE": f"gateway:{self.gateway_port}",
            "CARILLON_NGINX_WEB": f"web:{self.web_port}",
            "CARILLON_NGINX_RESOLVER": f"127.0.0.1:{self.names_port}",
        }

    async def run(self, settings: Mapping[str, str], *arguments: str) -> None:
        """Start the entrypoint; what it writes goes where a container's output goes."""
        user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
        with self.log.open("a") as output, self.errors.open("a") as errors:
            self.process = await asyncio.create_subprocess_exec(
                *(user if os.geteuid() == 0 else ()),
                str(self.folder / "image" / "entrypoint"),
                *arguments,
                env=self.environment(settings),
                cwd="/",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
            )

    async def start(self, settings: Mapping[str, str]) -> None:
        """Start nginx and wait until its probe says that it lives."""
        await self.run(settings)
        async with asyncio.timeout(30):
            while True:
                try:
                    answer = await self.ask("/livez", port=self.internal_port)
                except OSError:
                    assert self.process is not None
                    assert self.process.returncode is None, self.errors.read_text()
                    await asyncio.sleep(0.02)
                else:
                    assert (answer.status, answer.body) == (200, b"ok\n")
                    return

    async def stop(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()

    def lines(self) -> list[dict[str, str]]:
        """The access log."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    async def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        source: str = "127.0.0.1",
        port: int | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> Answer:
        """Send one request, as somebody at one of the loopback's addresses."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1",
            port or self.port,
            local_addr=(source, 0),
            ssl=tls,
            server_hostname="chat.test" if tls else None,
        )
        fields = {"Host": "chat.test", "Connection": "close", **(headers or {})}
        lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in fields.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        async with asyncio.timeout(30):
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        status, *answered = head.decode().split("\r\n")
        return Answer(
            int(status.split()[1]),
            dict(line.split(": ", 1) for line in answered),
            body,
        )

    @asynccontextmanager
    async def shake(
        self,
        *,
        headers: Mapping[str, str] | None = None,
        source: str = "127.0.0.1",
        path: str = SOCKET,
    ) -> AsyncIterator[tuple[str, dict[str, str], ClientConnection]]:
        """Open a WebSocket: gives its gateway's address, the headers that came there, and it."""
        async with connect(
            f"ws://chat.test:{self.port}{path}",
            host="127.0.0.1",
            port=self.port,
            local_addr=(source, 0),
            additional_headers=headers,
            proxy=None,
            ping_interval=None,
        ) as socket:
            yield str(await socket.recv()), json.loads(await socket.recv()), socket

    async def where(self, **options: Any) -> str | int:
        """Open a WebSocket for a moment; give its gateway's address, or the status of a refusal."""
        try:
            async with self.shake(**options) as (address, _, _):
                return address
        except InvalidStatus as refusal:
            return refusal.response.status_code
