from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.contrib.sessions.models import Session
from prometheus_client import REGISTRY

from services.gateway.runtime import Gateway, the_gateway
from shared.accounts.models import User
from shared.chat.models import ChatRoom
from tests.gateway.peer import Peer, served

type CookieOf = Callable[[User], str]


def rejected(reason: str) -> float:
    name = "carillon_gateway_handshakes_rejected_total"
    return REGISTRY.get_sample_value(name, {"reason": reason}) or 0.0


@pytest.fixture
def fresh_gateway() -> Iterator[None]:
    the_gateway.cache_clear()
    yield
    the_gateway.cache_clear()


@pytest.mark.parametrize(
    "origins",
    [
        (),
        ("null",),
        ("http://evil.example",),
        ("https://testserver",),
        ("http://testserver:8000",),
        ("http://testserver.evil.example",),
        ("http://testserver/",),
        ("http://testserver", "http://testserver"),
        ("",),
    ],
)
@pytest.mark.parametrize("path", ["/ws/chat/lobby/", "/ws/notifications/"])
async def test_wrong_origin_is_refused_before_any_query(
    fresh_gateway: None, path: str, origins: tuple[str, ...]
) -> None:
    """Only one Origin header that is exactly ours passes; this test has no database to ask."""
    before = rejected("origin")
    peer = Peer(path, "carillon_session=0123456789abcdefghij", origins=origins)
    assert not await peer.connects()
    assert rejected("origin") == before + 1


async def refusal(peer: Peer) -> list[dict[str, object]]:
    """Return what the application answers to a handshake that its server can refuse in full."""
    peer.communicator.scope["extensions"] = {"websocket.http.response": {}}
    await peer.communicator.send_input({"type": "websocket.connect"})
    answers = [await peer.communicator.receive_output(10) for _ in range(2)]
    await peer.leave(1006)
    return answers


@pytest.mark.parametrize("origins", [(), ("null",), ("http://testserver",)])
async def test_unknown_path_is_not_found(fresh_gateway: None, origins: tuple[str, ...]) -> None:
    """Whoever asks is told at once; this test has no database to ask."""
    before = rejected("protocol")
    peer = Peer("/nowhere", "carillon_session=0123456789abcdefghij", origins=origins)
    assert await refusal(peer) == [
        {"type": "websocket.http.response.start", "status": 404, "headers": []},
        {"type": "websocket.http.response.body"},
    ]
    assert rejected("protocol") == before + 1


@pytest.mark.django_db(transaction=True)
class TestWithDatabase:
    @pytest.mark.parametrize("origin", ["http://testserver", "http://TestServer"])
    async def test_right_origin(
        self, gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf, origin: str
    ) -> None:
        """Our own origin is let through; scheme and host have no case."""
        async with Peer("/ws/chat/lobby/", cookie_of(alice), origins=(origin,)) as peer:
            assert peer.greeting["type"] == "connection_established"

    @pytest.mark.parametrize("path", ["/ws/chat/lobby/", "/ws/notifications/"])
    @pytest.mark.parametrize(
        "cookie",
        [
            None,
            "carillon_session=",
            "carillon_session=nobodyhasthissessionkey000000000",
            "carillon_session=../../etc/passwd",
            "other=1; ;=;",
            # Cookies may be quoted; PostgreSQL takes no NUL.
            'carillon_session="\\000aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"',
        ],
    )
    async def test_no_session(
        self, gateway: Gateway, lobby: ChatRoom, path: str, cookie: str | None
    ) -> None:
        """Without somebody's session both endpoints refuse the handshake."""
        assert not await Peer(path, cookie).connects()
        assert not served(gateway)

    async def test_ended_session(
        self, gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
    ) -> None:
        """A cookie whose session was deleted, as signing out does, opens nothing."""
        cookie = cookie_of(alice)
        await gateway.database.run(Session.objects.all().delete)
        assert not await Peer("/ws/chat/lobby/", cookie).connects()

    async def test_changed_password(
        self, gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
    ) -> None:
        """A session from before a change of password opens nothing."""
        cookie = cookie_of(alice)
        alice.set_password("something else entirely")
        await gateway.database.run(alice.save)
        assert not await Peer("/ws/chat/lobby/", cookie).connects()

    async def test_deactivated_user(
        self, gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
    ) -> None:
        """A deactivated user's session opens nothing."""
        cookie = cookie_of(alice)
        await gateway.database.run(User.objects.filter(pk=alice.pk).update, is_active=False)
        assert not await Peer("/ws/chat/lobby/", cookie).connects()
        assert not await Peer("/ws/notifications/", cookie).connects()

    @pytest.mark.parametrize(
        "path",
        [
            "/",
            "/ws/",
            "/ws/chat/",
            "/ws/chat/lobby",
            "/ws/chat/lobby/more/",
            "/ws/chat/lobby%0a/",
            "/ws/chat/lobby/%0a",
            "/ws/notifications/%0a",
            "/ws/chat/lob%00by/",
            "/ws/chat/l%c3%b6bby/",
            "/ws/chat/%d9%a3/",
            "/ws/chat/lob%20by/",
            "/ws/chat/../chat/lobby/",
            f"/ws/chat/{'x' * 101}/",
            "/ws/CHAT/lobby/",
            "/ws/nothing/lobby/",
            "/ws/nothing-at-all/lobby/",
            "/ws/announcements/others/",
            "/ws/revocations/all/",
        ],
    )
    async def test_unknown_path(
        self, gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf, path: str
    ) -> None:
        """Paths and names of another form are refused without an error; nothing is kept of them."""
        assert not await Peer(path, cookie_of(alice)).connects()
        assert not served(gateway)

    async def test_unknown_namespace_makes_no_metric(
        self, gateway: Gateway, alice: User, cookie_of: CookieOf
    ) -> None:
        """What a client writes into a path never becomes a label: labels are a closed set."""
        assert not await Peer("/ws/invented/lobby/", cookie_of(alice)).connects()
        kinds = {
            sample.labels.get("kind") for family in REGISTRY.collect() for sample in family.samples
        }
        assert "invented" not in kinds

    async def test_foreign_and_unknown_room_look_alike(
        self, gateway: Gateway, bob: User, backroom: ChatRoom, cookie_of: CookieOf
    ) -> None:
        """A room for others and a room that is not there are refused with the same answer."""
        answers = []
        for path in ("/ws/chat/backroom/", "/ws/chat/nowhere/"):
            peer = Peer(path, cookie_of(bob))
            await peer.communicator.send_input({"type": "websocket.connect"})
            answers.append(await peer.communicator.receive_output(10))
            await peer.leave(1006)
        assert answers[0] == answers[1] == {"type": "websocket.close"}

    async def test_member_enters(
        self, gateway: Gateway, alice: User, backroom: ChatRoom, cookie_of: CookieOf
    ) -> None:
        """A member of a members-only room is let in."""
        async with Peer("/ws/chat/backroom/", cookie_of(alice)) as peer:
            assert "chat:backroom" in peer.greeting["positions"]
