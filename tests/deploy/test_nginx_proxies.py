"""Proxies in front of nginx, such as an ingress: believed when they are ours, and nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.deploy.nginx_front import SOCKET, Front
from tests.deploy.nginx_stand_ins import wait_for

pytestmark = pytest.mark.servers

PROXY, ANOTHER_PROXY, STRANGER = "127.0.0.5", "127.0.1.9", "127.0.0.6"
PROXIES = {"CARILLON_NGINX_PROXIES": f"{PROXY}, 127.0.1.0/24, 10.0.0.0/8, fd00::/8"}


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with Front.temporary() as front:
        await front.web()
        await front.gateway()
        yield front


async def seen(front: Front, source: str, **headers: str) -> tuple[str, str]:
    """Ask for a page and a WebSocket; return the address and the scheme that services are told."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    page = (await front.ask("/rooms/", headers=fields, source=source)).seen["headers"]
    async with front.shake(headers=fields, source=source) as (_, handshake, _):
        for name in ("X-Real-IP", "X-Forwarded-For", "X-Forwarded-Proto"):
            assert handshake[name] == page[name.lower()]
    assert page["x-real-ip"] == page["x-forwarded-for"]
    return page["x-real-ip"], page["x-forwarded-proto"]


async def test_who_is_believed(front: Front) -> None:
    """What a proxy of ours says is taken; of others only what the connection itself shows."""
    await front.start(front.static | PROXIES)
    said = {"X_Forwarded_For": "203.0.113.7", "X_Forwarded_Proto": "https"}
    assert await seen(front, PROXY, **said) == ("203.0.113.7", "https")
    assert await seen(front, ANOTHER_PROXY, **said) == ("203.0.113.7", "https")
    assert await seen(front, STRANGER, **said) == (STRANGER, "http")
    await wait_for(lambda: len(front.lines()) == 6)
    assert [line["client"] for line in front.lines()] == ["203.0.113.7"] * 4 + [STRANGER] * 2


async def test_several_proxies(front: Front) -> None:
    """Of a chain the first address that is none of ours counts, read from the end."""
    await front.start(front.static | PROXIES)
    chain = "6.6.6.6, 203.0.113.7, 10.1.2.3, fd00::9"
    assert await seen(front, PROXY, X_Forwarded_For=chain) == ("203.0.113.7", "http")
    assert await seen(front, PROXY, X_Forwarded_For="2001:db8::7") == ("2001:db8::7", "http")
    # What is no address is no address of a client either.
    assert await seen(front, PROXY, X_Forwarded_For="evil\tname") == (PROXY, "http")


@pytest.mark.parametrize("said", ["", "ftp", "https, http", "httpss"])
async def test_schemes_that_are_none(front: Front, said: str) -> None:
    """Another scheme than the two is not passed on; the connection's own is."""
    await front.start(front.static | PROXIES)
    assert (await seen(front, PROXY, X_Forwarded_Proto=said))[1] == "http"


async def test_nobody_is_believed_unless_named(front: Front) -> None:
    """Without the setting there is no proxy, not even on the same machine."""
    await front.start(front.static)
    said = {"X_Forwarded_For": "203.0.113.7", "X_Forwarded_Proto": "https"}
    assert await seen(front, "127.0.0.1", **said) == ("127.0.0.1", "http")


async def test_limits_are_each_clients_own(front: Front) -> None:
    """People behind a proxy are counted one by one; a stranger cannot be many."""
    await front.start(front.static | PROXIES | {"CARILLON_NGINX_CONNECTIONS_PER_IP": "1"})
    one, two = {"X-Forwarded-For": "203.0.113.1"}, {"X-Forwarded-For": "203.0.113.2"}
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(front.shake(source=PROXY, headers=one))
        await stack.enter_async_context(front.shake(source=PROXY, headers=two))
        # Another proxy has the same client.
        assert await front.where(source=ANOTHER_PROXY, headers=one) == 429
        await stack.enter_async_context(front.shake(source=STRANGER, headers=one))
        assert await front.where(source=STRANGER, headers=two) == 429


async def test_limits_are_of_networks(front: Front) -> None:
    """Whoever has an IPv6 address has 2 to the 64 of them: together these count as one client."""
    await front.start(front.static | PROXIES | {"CARILLON_NGINX_CONNECTIONS_PER_IP": "1"})

    def said(address: str) -> dict[str, str]:
        return {"X-Forwarded-For": address}

    # A line feed is among the bytes of one.
    for network in ("2001:db8:0:7::", "2001:db8:a0a:a0a::"):
        async with front.shake(source=PROXY, headers=said(f"{network}1")):
            same = said(f"{network}a0a:ffff:2")
            assert await front.where(source=PROXY, headers=same) == 429
            assert await front.where(source=PROXY, headers=said("2001:db8:0:8::1")) == "127.0.0.1"
    async with front.shake(source=PROXY, headers=said("203.0.113.7")):
        assert await front.where(source=PROXY, headers=said("203.0.113.7")) == 429
        assert await front.where(source=PROXY, headers=said("203.0.113.8")) == "127.0.0.1"


async def test_other_headers_are_overwritten(front: Front) -> None:
    """A proxy of ours is believed in two things, and in no other."""
    await front.start(front.static | PROXIES)
    forged = {
        "X-Request-ID": "forged",
        "X-Real-IP": "6.6.6.6",
        "X-Forwarded-Host": "evil.test",
        "X-Forwarded-Port": "666",
        "Forwarded": "for=6.6.6.6",
        "Daphne-Root-Path": "/admin",
    }
    for path in ("/rooms/", SOCKET):
        headers = (await front.ask(path, headers=forged, source=PROXY)).seen["headers"]
        assert headers["x-request-id"] != "forged"
        assert headers["x-real-ip"] == PROXY
        gone = {"x-forwarded-host", "x-forwarded-port", "forwarded", "daphne-root-path"}
        assert not gone & set(headers)
