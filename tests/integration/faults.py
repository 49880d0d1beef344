"""What can be broken, and what can be read, in a running stack."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from prometheus_client.parser import text_string_to_metric_families

from deploy.stack import carillon
from tests.servers import RunningStack

__all__ = ["CuttingProxy", "dump_database", "metric", "proxied_gateways", "restore_database"]


def metric(stack: RunningStack, service: str, name: str, **labels: str) -> float:
    """Return a metric of a service, summed over the labels that are not given; 0 if absent."""
    text = httpx.get(f"{stack.internal_url(service)}/metrics").text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def dump_database(stack: RunningStack, path: Path) -> None:
    """Write a backup, as an operator would."""
    _run("pg_dump", "--format=custom", f"--file={path}", f"--dbname={stack.database_url}")


def restore_database(stack: RunningStack, path: Path) -> None:
    """Put a backup back while everything runs."""
    _run(
        *("pg_restore", "--clean", "--if-exists", "--single-transaction"),
        *(f"--dbname={stack.database_url}", str(path)),
    )


def _run(*command: str) -> None:
    result = subprocess.run(command, capture_output=True, text=True, env={**os.environ})
    assert result.returncode == 0, result.stderr


class CuttingProxy:
    """Stands between gateways and the broker, and cuts all connections when it is told to."""

    def __init__(self, target: str) -> None:
        self._target = urlsplit(target)
        self._writers: set[asyncio.StreamWriter] = set()
        self.url = ""

    async def __aenter__(self) -> CuttingProxy:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        credentials = f"{self._target.username}:{self._target.password}"
        self.url = f"amqp://{credentials}@127.0.0.1:{port}{self._target.path}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """Reset every connection, both ends."""
        for writer in self._writers:
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(
                self._target.hostname, self._target.port
            )
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, far_writer}
        self._writers |= ends
        await asyncio.gather(_pipe(reader, far_writer), _pipe(far_reader, writer))
        self._writers -= ends


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def proxied_gateways(
    stack: RunningStack, *numbers: int
) -> AsyncIterator[tuple[CuttingProxy, list[str]]]:
    """Run more gateways, whose way to the broker can be cut; yield the proxy and their URLs."""
    plain = stack.stack
    async with CuttingProxy(stack.broker_urls["gateway"]) as proxy:
        env = {**plain.role_environment("gateway"), "BROKER_URL": proxy.url}
        services = [carillon.gateway(plain.layout, env, number) for number in numbers]
        try:
            await asyncio.to_thread(plain.supervisor.up, services)
            yield proxy, [stack.gateway_url(number) for number in numbers]
        finally:
            for service in services:
                await asyncio.to_thread(plain.stop, service.name)
