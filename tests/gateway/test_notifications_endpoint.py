from __future__ import annotations

from collections.abc import Callable

import pytest

from services.gateway.runtime import Gateway
from shared.accounts.models import User
from shared.chat.models import ChatRoom, Message
from shared.notifications.actions import do_announce, do_mark_all_read, do_mark_read
from shared.notifications.models import Announcement, Notification
from shared.notifications.namespaces import user_channel
from shared.notifications.notify import notify
from shared.notifications.staff_kinds import StaffMessage
from shared.realtime import deployment
from shared.realtime.models import Publication
from tests.gateway.peer import Peer, eventually, served

pytestmark = pytest.mark.django_db(transaction=True)
type CookieOf = Callable[[User], str]


def tell(user: User | list[User], *titles: str) -> None:
    for title in titles:
        notify(user, StaffMessage, title=title, body="", url="/rooms/")


def since(place: dict[str, object]) -> str:
    """The endpoint as a client asks for it that stood at a frame, or at a greeting's position."""
    return f"/ws/notifications/?since={place['epoch']}.{place['offset']}"


async def test_announcement_reaches_both_endpoints(
    gateway: Gateway, staff: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """An announcement reaches every connection, that of the synchronous consumer too."""
    async with (
        Peer("/ws/notifications/", cookie_of(bob)) as everywhere,
        Peer("/ws/chat/lobby/", cookie_of(bob)) as room,
    ):
        assert set(everywhere.greeting["positions"]) == {"announcements:all", user_channel(bob.pk)}
        row = await gateway.database.run(do_announce, staff, "Cake in the kitchen")
        heard = await everywhere.receive()
        assert heard == await room.receive()
        place = everywhere.greeting["positions"]["announcements:all"]
        assert (
            heard.items()
            >= {
                "type": "announcement",
                "id": row.pk,
                "message": "Cake in the kitchen",
                "timestamp": row.created_at.isoformat(),
                "epoch": place["epoch"],
                "offset": place["offset"] + 1,
            }.items()
        )


async def test_missed_announcements_are_caught_up(
    gateway: Gateway, staff: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """Whoever says where it stood gets what was announced since, corrected as staff left it."""
    cookie = cookie_of(bob)
    async with Peer("/ws/notifications/", cookie) as peer:
        place = peer.greeting["positions"]["announcements:all"]
    first = await gateway.database.run(do_announce, staff, "Frist")
    await gateway.database.run(do_announce, staff, "Second")
    await gateway.database.run(
        Announcement.objects.filter(pk=first.pk).update, message="First, corrected"
    )
    since = f"?announcements={place['epoch']}.{place['offset']}"
    for path in ("/ws/notifications/", "/ws/chat/lobby/"):
        async with Peer(path + since, cookie) as peer:
            assert peer.greeting["positions"]["announcements:all"] == place
            frames = await peer.receive_many(2)
            assert [frame["message"] for frame in frames] == ["First, corrected", "Second"]
            assert [f["offset"] for f in frames] == [place["offset"] + 1, place["offset"] + 2]


async def test_nothing_is_expected_of_the_client(
    gateway: Gateway, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """A message here is refused with an error; the connection stays and nothing is stored."""
    async with Peer("/ws/notifications/", cookie_of(bob)) as peer:
        await peer.send(message="anybody there?")
        assert (await peer.receive())["code"] == 107
        await peer.send("no JSON")
        assert (await peer.receive())["code"] == 107
        assert await gateway.database.run(Message.objects.count) == 0


async def test_binary_frame(gateway: Gateway, bob: User, cookie_of: CookieOf) -> None:
    """A binary frame ends the connection with a terminal code."""
    async with Peer("/ws/notifications/", cookie_of(bob)) as peer:
        await peer.send_bytes(b"\x00\x01")
        assert await peer.close_code() == 3501


async def test_many_at_once(gateway: Gateway, staff: User, bob: User, cookie_of: CookieOf) -> None:
    """Ten announcements in a row arrive in order, through the threads of a sync consumer."""
    async with Peer("/ws/notifications/", cookie_of(bob)) as peer:
        for number in range(10):
            await gateway.database.run(do_announce, staff, f"number {number}")
        frames = await peer.receive_many(10)
        assert [frame["message"] for frame in frames] == [f"number {n}" for n in range(10)]


async def test_notification_in_two_tabs(
    gateway: Gateway, alice: User, bob: User, cookie_of: CookieOf
) -> None:
    """A notification reaches every tab of its user once, and nobody else."""
    cookie = cookie_of(bob)
    async with (
        Peer("/ws/notifications/", cookie) as one,
        Peer("/ws/notifications/", cookie) as two,
        Peer("/ws/notifications/", cookie_of(alice)) as hers,
    ):
        place = one.greeting["positions"][user_channel(bob.pk)]
        assert two.greeting["positions"] == one.greeting["positions"]
        await gateway.database.run(tell, bob, "Hello", "again")
        frames = await one.receive_many(2)
        assert await two.receive_many(2) == frames
        row = await gateway.database.run(Notification.objects.get, title="Hello")
        assert frames[0] == {
            "type": "notification",
            "id": row.pk,
            "message": "Hello",
            "title": "Hello",
            "body": "",
            "url": "/rooms/",
            "kind": StaffMessage.key,
            "category": StaffMessage.category.key,
            "timestamp": row.created.isoformat(),
            "unread": 1,
            "epoch": place["epoch"],
            "offset": place["offset"] + 1,
        }
        assert (frames[1]["title"], frames[1]["unread"]) == ("again", 2)
        await gateway.database.run(tell, alice, "hers")
        assert (await hers.receive())["title"] == "hers"
        assert await one.hears_nothing()


async def test_state_in_the_other_tab(gateway: Gateway, bob: User, cookie_of: CookieOf) -> None:
    """What is read in one place is read in all of them; the count is the server's."""
    cookie = cookie_of(bob)
    async with (
        Peer("/ws/notifications/", cookie) as one,
        Peer("/ws/notifications/", cookie) as two,
    ):
        await gateway.database.run(tell, bob, "one", "two", "three")
        first = (await one.receive_many(3))[0]
        await two.receive_many(3)
        await gateway.database.run(do_mark_read, bob, [first["id"]])
        await gateway.database.run(do_mark_all_read, bob)
        for peer in (one, two):
            some, rest = await peer.receive_many(2)
            assert (some["type"], some["unread"]) == ("unread", 2)
            assert some["change"] == {"state": "read", "ids": [first["id"]]}
            assert (rest["unread"], rest["change"]) == (0, {"state": "read", "ids": "all"})
            assert rest["offset"] == first["offset"] + 4


async def test_notifications_missed_while_away(
    gateway: Gateway, bob: User, cookie_of: CookieOf
) -> None:
    """Who comes back with a position gets what follows it, once and in order, then what is new."""
    cookie = cookie_of(bob)
    async with Peer("/ws/notifications/", cookie) as peer:
        await gateway.database.run(tell, bob, "seen")
        last = await peer.receive()
    await gateway.database.run(tell, bob, "missed", "missed, too")
    await gateway.database.run(do_mark_all_read, bob)
    async with Peer(since(last), cookie) as peer:
        assert peer.greeting["positions"][user_channel(bob.pk)]["offset"] == last["offset"]
        missed = await peer.receive_many(3)
        assert [frame.get("title") for frame in missed] == ["missed", "missed, too", None]
        assert missed[2]["change"] == {"state": "read", "ids": "all"}
        # The count as it is, not as it was: a badge must not flicker through the past.
        assert [frame["unread"] for frame in missed] == [0, 0, 0]
        await gateway.database.run(tell, bob, "new")
        new = await peer.receive()
        assert [f["offset"] - last["offset"] for f in (*missed, new)] == [1, 2, 3, 4]
        assert (new["title"], new["unread"]) == ("new", 1)


async def test_notification_that_was_deleted(
    gateway: Gateway, bob: User, cookie_of: CookieOf
) -> None:
    """Of a notification that is gone a returning client gets the place alone."""
    cookie = cookie_of(bob)
    async with Peer("/ws/notifications/", cookie) as peer:
        start = peer.greeting["positions"][user_channel(bob.pk)]
    await gateway.database.run(tell, bob, "gone", "kept")
    await gateway.database.run(Notification.objects.filter(title="gone").delete)
    async with Peer(since(start), cookie) as peer:
        gone, kept = await peer.receive_many(2)
        assert (gone["type"], gone["offset"]) == ("redacted", start["offset"] + 1)
        assert kept["title"] == "kept"


@pytest.mark.parametrize("loss", ["trimmed", "restored", "ahead", "unreadable"])
async def test_notifications_that_cannot_be_caught_up(
    gateway: Gateway, bob: User, cookie_of: CookieOf, loss: str
) -> None:
    """Where the log cannot give what was missed it says so, and goes on from the head."""
    cookie = cookie_of(bob)
    channel = user_channel(bob.pk)
    async with Peer("/ws/notifications/", cookie) as peer:
        start = peer.greeting["positions"][channel]
    await gateway.database.run(tell, bob, "one", "two")
    path = since(start)
    if loss == "trimmed":
        await gateway.database.run(Publication.objects.filter(offset=1).delete)
    elif loss == "restored":
        await gateway.database.run(deployment.renew)
    elif loss == "ahead":
        path = since({**start, "offset": 99})
    else:
        path = "/ws/notifications/?since=1.2.3"
    async with Peer(path, cookie) as peer:
        head = peer.greeting["positions"][channel]
        assert head["offset"] == 2
        assert await peer.receive() == {"type": "reset", "channel": channel, **head}
        await gateway.database.run(tell, bob, "three")
        assert (await peer.receive())["offset"] == 3


async def test_only_ones_own_channel(
    gateway: Gateway, alice: User, bob: User, cookie_of: CookieOf
) -> None:
    """Nothing a client sends opens another user's channel, at either endpoint."""
    cookie = cookie_of(bob)
    for topic in (alice.pk, 0, -1, 2**63, f"0{bob.pk}", "all", "bob"):
        assert not await Peer(f"/ws/user/{topic}/", cookie).connects()
    async with (
        Peer(f"/ws/notifications/?user={alice.pk}&channel=user:{alice.pk}", cookie) as peer,
        Peer(f"/ws/user/{bob.pk}/", cookie) as own,
    ):
        assert served(gateway) == {user_channel(bob.pk), "announcements:all"}
        await gateway.database.run(tell, alice, "for her alone")
        await gateway.database.run(tell, bob, "for him")
        for each in (peer, own):
            assert (await each.receive())["title"] == "for him"
    await eventually(lambda: not served(gateway))


async def test_position_of_another_user(
    gateway: Gateway, alice: User, bob: User, cookie_of: CookieOf
) -> None:
    """A position of somebody else's channel recovers nothing of it."""
    async with Peer("/ws/notifications/", cookie_of(alice)) as hers:
        place = hers.greeting["positions"][user_channel(alice.pk)]
    await gateway.database.run(tell, [alice, bob], "to both")
    async with Peer(since(place), cookie_of(bob)) as his:
        frame = await his.receive()
        assert (frame["type"], frame["channel"]) == ("reset", user_channel(bob.pk))
