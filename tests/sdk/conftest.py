"""Clients of every published SDK, and a server that says whatever a test wants."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from tests.sdk.client import SdkClient
from tests.sdk.js_client import JsDriver
from tests.sdk.py_client import PyClient
from tests.sdk.scripted import ScriptedServer

type MakeClient = Callable[[str], SdkClient]


@pytest.fixture(params=["js", "py"])
async def sdk(request: pytest.FixtureRequest) -> AsyncIterator[MakeClient]:
    """Make clients of one SDK, by name; the test runs once for each SDK."""
    made: list[SdkClient] = []

    def make(name: str) -> SdkClient:
        made.append(driver.client(name) if request.param == "js" else PyClient(name))
        return made[-1]

    async with JsDriver() as driver:
        yield make
        for client in made:
            await client.close()


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as server:
        yield server


@pytest.fixture
async def client(sdk: MakeClient, server: ScriptedServer) -> SdkClient:
    """A client that is connected to the scripted server."""
    client = sdk("client")
    await client.create(server.url)
    await client.connect()
    await client.next_of("connected")
    return client
