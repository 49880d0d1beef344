"""Clients of every published SDK, and a server that says whatever a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from tests.sdk.client import SdkClient
from tests.sdk.js_client import JsDriver
from tests.sdk.py_client import PyClient
from tests.sdk.scripted import ScriptedServer

SDKS = ("js", "py")

type MakeClient = Callable[[str], SdkClient]
type Conversation = Callable[[MakeClient], Awaitable[None]]
type EachSdk = Callable[[Conversation], Awaitable[None]]


@asynccontextmanager
async def clients_of(sdk: str) -> AsyncIterator[MakeClient]:
    """Make clients of one SDK, by name; they are closed in the end."""
    async with AsyncExitStack() as leaving:
        driver = await leaving.enter_async_context(JsDriver()) if sdk == "js" else None

        def make(name: str) -> SdkClient:
            client = driver.client(name) if driver is not None else PyClient(name)
            leaving.push_async_callback(client.close)
            return client

        yield make


@pytest.fixture(params=SDKS)
async def sdk(request: pytest.FixtureRequest) -> AsyncIterator[MakeClient]:
    """Make clients of one SDK, by name; the test runs once for each SDK."""
    async with clients_of(request.param) as make:
        yield make


@pytest.fixture
def each_sdk() -> EachSdk:
    """Have the same conversation with each SDK at the same time, where most of it is waiting."""

    async def one(sdk: str, conversation: Conversation) -> None:
        async with clients_of(sdk) as make:
            await conversation(make)

    async def have(conversation: Conversation) -> None:
        # To its end with each: which of them fail says a lot.
        ends = (one(sdk, conversation) for sdk in SDKS)
        results = await asyncio.gather(*ends, return_exceptions=True)
        if errors := [error for error in results if isinstance(error, Exception)]:
            raise ExceptionGroup("not with each SDK", errors)

    return have


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
