"""What people see while gateways come and go; each show returns its lines of the table."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from shared.telemetry.build import VERSION
from tests.client import Session
from tests.compose.checks import complain
from tests.compose.site import IMAGES, TEAM_IMAGES, Site
from tests.compose.talk import Talk, enter
from tests.integration.traffic import fresh_room
from tests.load.command import say
from tests.load.figures import Figure
from tests.processes import ROOT
from tests.sdk.client import SdkClient

__all__ = ["PEOPLE", "chat_between_gateways", "scale_under_chat", "team_image"]

PEOPLE = ("alice", "bob", "carol", "dave")
CLIENTS = 24
PER_SECOND = 24.0
FOUND_SECONDS = 30.0
OPENED = "carillon_gateway_connections_opened_total"


async def chat_between_gateways(site: Site, people: Sequence[Session]) -> list[Figure]:
    """Two people, each at another gateway by nginx's choice, hear each other."""
    clients: list[SdkClient] = []
    where: list[str] = []
    try:
        # An older nginx chooses by chance.
        while len(set(where)) < 2 and len(clients) < 18:
            before = _opened(site)
            person = people[len(clients) % 2]
            clients.append(await enter(site, person, f"client {len(clients)}"))
            after = _opened(site)
            where += [name for name in after if after[name] > before.get(name, 0)]
        hers, his = clients[0], clients[-1]
        channel = f"chat:{await asyncio.to_thread(fresh_room, people[0])}"
        seconds = []
        for client in (hers, his):
            await client.join(channel)
        for number, (speaker, hearer) in enumerate([(hers, his), (his, hers)]):
            began = time.monotonic()
            words = {"message": "hello", "client_id": f"hello-{number}"}
            await speaker.publish(channel, words)
            await hearer.wait_for(lambda c: len(c.heard(channel)) > number, what="hello")
            seconds.append(time.monotonic() - began)
    finally:
        for client in clients:
            await client.close()
    return [
        Figure("chat: gateways of the two", len(set(where)), "", at_least=2),
        Figure("there and back: slower of the two", 1_000 * max(seconds), "ms", at_most=2_000),
    ]


async def scale_under_chat(site: Site, people: Sequence[Session]) -> list[Figure]:
    """Two gateways become three, two again, and one of them new, while everybody speaks."""
    async with Talk.among(site, people, CLIENTS, PER_SECOND) as talk:
        await talk.everybody_hears()
        kept = {client.name: client.client_id for client in talk.crowd}

        say("         Scaling to three gateways.")
        began = time.monotonic()
        await asyncio.to_thread(site.up, "--scale", "gateway=3")
        third = site.containers("gateway")[-1].name
        newcomers = await _until_found(site, people[0], third)
        up_seconds = time.monotonic() - began
        await talk.everybody_hears()
        cut = sum(client.client_id != kept[client.name] for client in talk.crowd)

        say("         Scaling back to two.")
        began = time.monotonic()
        await asyncio.to_thread(site.up, "--scale", "gateway=2")
        down_seconds = time.monotonic() - began
        for client in newcomers:
            # Told to come back, they have: to one of the other two.
            await client.next_of("connected", number=2, within=60)
            await client.close()
        await talk.everybody_hears()
        cut += sum(client.client_id != kept[client.name] for client in talk.crowd)

        say("         One gateway goes, and a new one comes with another address.")
        found_seconds, moved = await _recreate(site, people[0])
        await talk.everybody_hears()
        findings = await talk.findings()
        stored = len(talk.acked)
        reconnects, resent = talk.reconnects, talk.resent
    complain([str(finding) for finding in findings])
    return [
        Figure("2 -> 3 gateways: the third has clients after", up_seconds, "s"),
        Figure("3 -> 2 gateways: drained and gone after", down_seconds, "s"),
        Figure("cut by either, of those at the other two", cut, "", 0, 0),
        Figure("gateway recreated: found at its new address", found_seconds, "s"),
        Figure("its address is another one", moved, "", 1, 1),
        Figure("messages said meanwhile, and acknowledged", stored, "", at_least=100),
        Figure("of those, sent again by their senders", resent, ""),
        Figure("times that clients came back", reconnects, "", at_least=1),
        Figure("lost, doubled or out of order", len(findings), "", 0, 0),
    ]


async def _until_found(site: Site, person: Session, gateway: str) -> list[SdkClient]:
    """Let people in until a gateway has one of them; return those who are at it."""
    deadline = time.monotonic() + FOUND_SECONDS
    while time.monotonic() < deadline:
        before = await asyncio.to_thread(site.metric, gateway, OPENED)
        client = await enter(site, person, "newcomer")
        if await asyncio.to_thread(site.metric, gateway, OPENED) > before:
            return [client]
        await client.close()
    raise AssertionError(f"{gateway} got nobody within {FOUND_SECONDS:.0f} s")


async def _recreate(site: Site, person: Session) -> tuple[float, bool]:
    """Replace the first gateway by one with another address; return when nginx found it."""
    first = site.containers("gateway")[0].name
    address = site.address(first)
    await asyncio.to_thread(site.engine.run, "stop", first, seconds=120)
    await asyncio.to_thread(site.engine.run, "rm", first)
    # Somebody else gets its address meanwhile, as happens where many containers come and go.
    project = site.engine.environment["COMPOSE_PROJECT_NAME"]
    image = site.inspect(site.containers("nginx")[0].name, ".Config.Image")
    squatter = site.engine.output(
        *("run", "--detach", "--rm", "--network", f"{project}_front"),
        *("--entrypoint", "sleep", image, "600"),
    )
    began = time.monotonic()
    try:
        await asyncio.to_thread(site.up, "--no-recreate")
        fresh = site.containers("gateway")[0].name
        for client in await _until_found(site, person, fresh):
            await client.close()
        return time.monotonic() - began, site.address(fresh) != address
    finally:
        site.engine.run("rm", "--force", squatter)


async def team_image(site: Site, people: Sequence[Session]) -> list[Figure]:
    """A team's images, made from ours, take their place while everybody speaks."""
    for target in ("web", "gateway", "worker"):
        site.engine.run(
            *("build", "--target", target, "--tag", f"{TEAM_IMAGES}/{target}:{VERSION}"),
            *("--build-arg", f"CARILLON={IMAGES}", "--build-arg", f"VERSION={VERSION}"),
            *("--file", ROOT / "tests/compose/team.Dockerfile", ROOT / "tests/team"),
        )
    site.engine.run("tag", f"{IMAGES}/nginx:{VERSION}", f"{TEAM_IMAGES}/nginx:{VERSION}")
    site.set(CARILLON_IMAGES=TEAM_IMAGES, CARILLON_APPS="tests.team")
    began = time.monotonic()
    async with Talk.among(site, people, 8, 8) as talk:
        # As docs/deploy-compose.md upgrades: new gateways first, then the old ones drain.
        new = ("--no-deps", "--no-recreate", "--scale", "gateway=4", "gateway")
        await asyncio.to_thread(site.compose, "run", "--rm", "migrate")
        await asyncio.to_thread(site.up, *new)
        await asyncio.to_thread(site.up)
        seconds = time.monotonic() - began
        await talk.everybody_hears()
        findings = await talk.findings()
    complain([str(finding) for finding in findings])
    images = {site.inspect(c.name, ".Config.Image") for c in site.containers("gateway")}
    wanted = f"{TEAM_IMAGES}/gateway:{VERSION}"
    alice, bob = people[:2]
    client = await enter(site, bob, "bob")
    try:
        await client.join("poll:best")
        # Over HTTP in the web tier, and over a socket in a gateway.
        answer = await asyncio.to_thread(alice.post, "/team/best/votes/", {"choice": "yes"})
        await client.publish("poll:best", {"choice": "no"})
        await client.wait_for(lambda c: len(c.heard("poll:best")) >= 2, what="two votes")
        votes = [each["data"]["choice"] for each in client.heard("poll:best")]
    finally:
        await client.close()
    return [
        Figure("team's images: in place of ours after", seconds, "s"),
        Figure("gateways with another image than the team's", len(images - {wanted}), "", 0, 0),
        Figure("lost, doubled or out of order meanwhile", len(findings), "", 0, 0),
        Figure("its page answers", answer.status_code, "", 201, 201),
        Figure("votes heard, of two", len(set(votes)), "", 2, 2),
    ]


def _opened(site: Site) -> dict[str, float]:
    return {c.name: site.metric(c.name, OPENED) for c in site.containers("gateway")}
