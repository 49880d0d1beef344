from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from services.embedded import bell
from services.gateway.runtime import Gateway, the_gateway
from shared.accounts.models import User


@pytest.fixture
async def gateway(transactional_db: None) -> AsyncIterator[Gateway]:
    """A gateway of this test's own, in this test's event loop, which hears every bell."""
    the_gateway.cache_clear()
    made = the_gateway()
    made.start()
    bell.listen()
    yield made
    await made.stop()
    the_gateway.cache_clear()
    # A query of a thread that still runs would meet the next test's tables.
    for thread in threading.enumerate():
        if thread.name.startswith("database"):
            await asyncio.to_thread(thread.join)


@pytest.fixture
def cookie_of(transactional_db: None, signed_in: Callable[[User], Client]) -> Callable[[User], str]:
    """Return the Cookie header of a user's browser; to be called from anywhere."""

    def header(user: User) -> str:
        name = settings.SESSION_COOKIE_NAME
        try:
            return f"{name}={signed_in(user).cookies[name].value}"
        finally:
            connection.close()

    def in_a_thread(user: User) -> str:
        # Django refuses queries in a thread that runs an event loop.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(header, user).result()

    return in_a_thread
