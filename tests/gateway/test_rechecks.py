"""Permissions of Django that are taken away while their users are connected."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

import pytest
from django.contrib.auth.models import AbstractUser, Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from pytest_django import Settings

from services.gateway.arrivals import Arrivals
from services.gateway.runtime import Gateway
from shared.accounts.actions import do_recheck
from shared.accounts.models import User
from shared.chat.models import ChatRoom
from shared.realtime.actions import do_control
from shared.realtime.controls import Subscribe
from shared.realtime.namespaces import named
from shared.realtime.publish import publish
from tests.gateway.centrifuge.peer import CentrifugePeer
from tests.gateway.peer import Peer
from tests.gateway.test_bans import Interrupted, another_gateway
from tests.shared.accounts.grants import view_follow
from tests.shared.tokens import makers

pytestmark = pytest.mark.django_db(transaction=True)
type CookieOf = Callable[[User], str]
type Take = Callable[[User], None]

POLL = "poll:budget"


@pytest.fixture
def permission(monkeypatch: pytest.MonkeyPatch) -> Permission:
    """Polls are for those who have it, and for staff."""

    def may(user: AbstractUser, channel: str) -> bool:
        return user.is_staff or user.has_perm("accounts.view_follow")

    for hook in ("can_subscribe", "can_publish"):
        monkeypatch.setattr(named("poll"), hook, may)
    return view_follow()


@pytest.fixture
def group(permission: Permission) -> Group:
    group = Group.objects.create(name="Treasurers")
    group.permissions.add(permission)
    return group


def from_user(permission: Permission, group: Group, user: User) -> Take:
    user.user_permissions.add(permission)
    return lambda user: user.user_permissions.remove(permission)


def from_users(permission: Permission, group: Group, user: User) -> Take:
    permission.user_set.add(user)
    return lambda user: permission.user_set.clear()


def out_of_group(permission: Permission, group: Group, user: User) -> Take:
    user.groups.add(group)
    return lambda user: user.groups.set([])


def from_group(permission: Permission, group: Group, user: User) -> Take:
    group.user_set.add(user)
    return lambda user: group.permissions.remove(permission)


def with_its_group(permission: Permission, group: Group, user: User) -> Take:
    user.groups.add(group)
    return lambda user: group.delete() and None


def staff_flag(permission: Permission, group: Group, user: User) -> Take:
    User.objects.filter(pk=user.pk).update(is_staff=True)

    def take(user: User) -> None:
        fresh = User.objects.get(pk=user.pk)
        fresh.is_staff = False
        fresh.save()

    return take


def past_all_signals(permission: Permission, group: Group, user: User) -> Take:
    user.user_permissions.add(permission)

    def take(user: User) -> None:
        User.user_permissions.through.objects.filter(user=user).delete()
        do_recheck(None)

    return take


WAYS = [from_user, from_users, out_of_group, from_group, with_its_group, staff_flag]
WAYS += [past_all_signals]


@pytest.mark.parametrize("way", WAYS)
async def test_subscription_ends_with_its_permission(
    gateway: Gateway,
    permission: Permission,
    group: Group,
    way: Callable[[Permission, Group, User], Take],
    bob: User,
    lobby: ChatRoom,
    cookie_of: CookieOf,
) -> None:
    """Within a second, for good, and what needs no permission goes on; a plain one closes."""
    take = await gateway.database.run(way, permission, group, bob)
    cookie = cookie_of(bob)
    async with CentrifugePeer(cookie) as peer, Peer("/ws/poll/budget/", cookie) as plain:
        for channel in (POLL, "chat:lobby"):
            assert "subscribe" in await peer.ask("subscribe", channel=channel)
        # From now on the connection's user remembers what it may.
        assert "publish" in await peer.ask("publish", channel=POLL, data={"choice": "yes"})
        assert "pub" in await peer.push()
        started = time.monotonic()
        await gateway.database.run(take, bob)
        assert await peer.push() == {
            "channel": POLL,
            "unsubscribe": {"code": 2000, "reason": "server unsubscribe"},
        }
        assert (await plain.until_closed())[1] == 3507
        assert time.monotonic() - started < 1
        assert await peer.error("subscribe", channel=POLL) == 103
        assert await peer.error("publish", channel=POLL, data={"choice": "yes"}) == 103
        assert await peer.error("history", channel=POLL) == 103
        assert "publish" in await peer.ask("publish", channel="chat:lobby", data={"message": "x"})


async def test_admins_form(
    gateway: Gateway,
    permission: Permission,
    staff: User,
    bob: User,
    cookie_of: CookieOf,
    signed_in: Callable[[User], Client],
) -> None:
    """What staff take away on the user's page is gone, with no word of theirs to the gateway."""
    await gateway.database.run(bob.user_permissions.add, permission)

    def take() -> int:
        # The admin's history names a row that an earlier test has flushed, where it is remembered.
        ContentType.objects.clear_cache()
        User.objects.filter(pk=staff.pk).update(is_superuser=True)
        page = signed_in(staff).get(f"/admin/accounts/user/{bob.pk}/change/")
        form = page.context["adminform"].form
        values = {name: form[name].value() for name in form.fields if name != "password"}
        values["user_permissions"] = []
        told = {name: value for name, value in values.items() if value not in (None, False)}
        told |= {"date_joined_0": "2026-01-01", "date_joined_1": "12:00"}
        answer = signed_in(staff).post(f"/admin/accounts/user/{bob.pk}/change/", told)
        return int(answer.status_code)

    async with CentrifugePeer(cookie_of(bob)) as peer:
        assert "subscribe" in await peer.ask("subscribe", channel=POLL)
        assert await gateway.database.run(take) == 302
        assert (await peer.push())["unsubscribe"]["code"] == 2000


async def test_without_bells(
    gateway: Gateway,
    permission: Permission,
    bob: User,
    cookie_of: CookieOf,
    settings: Settings,
) -> None:
    """What no bell tells is found by the head check."""
    changes = {"CARILLON_BROKER_BELLS": False, "CARILLON_GATEWAY_HEAD_CHECK_SECONDS": 0.1}
    async with another_gateway(settings, gateway, **changes) as checking:
        await checking.database.run(bob.user_permissions.add, permission)
        async with CentrifugePeer(cookie_of(bob)) as peer:
            assert "subscribe" in await peer.ask("subscribe", channel=POLL)
            await checking.database.run(bob.user_permissions.clear)
            assert (await peer.push())["unsubscribe"]["code"] == 2000


async def test_what_a_server_grants_needs_no_permission(
    gateway: Gateway,
    permission: Permission,
    bob: User,
    cookie_of: CookieOf,
    settings: Settings,
) -> None:
    """A token of another server is the permission, and only that server takes it back."""
    settings.CARILLON_TOKEN_SECRETS = [makers.SECRET]
    claims = {"sub": str(bob.pk), "channel": POLL, "exp": int(time.time()) + 60}
    async with CentrifugePeer(cookie_of(bob)) as peer:
        answer = await peer.ask("subscribe", channel=POLL, token=makers.token(**claims))
        assert "subscribe" in answer
        await gateway.database.run(bob.user_permissions.add, permission)
        await peer.ask("subscribe", channel="poll:other")
        await gateway.database.run(bob.user_permissions.clear)
        assert (await peer.push())["channel"] == "poll:other"
        assert await peer.error("subscribe", channel=POLL) == 105


async def test_mistake_in_a_hook_takes_nothing_away(
    gateway: Gateway,
    bob: User,
    lobby: ChatRoom,
    cookie_of: CookieOf,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is in the log, and the next namespace is asked."""

    def broken(user: AbstractUser, channel: str) -> bool:
        raise ZeroDivisionError

    async with CentrifugePeer(cookie_of(bob)) as peer:
        for channel in (POLL, "tick:x"):
            assert "subscribe" in await peer.ask("subscribe", channel=channel)
        monkeypatch.setattr(named("poll"), "can_subscribe", broken)
        monkeypatch.setattr(named("tick"), "can_subscribe", lambda user, channel: False)
        await gateway.database.run(do_recheck, [bob.pk])
        assert (await peer.push())["channel"] == "tick:x"
        assert await peer.error("subscribe", channel=POLL) == 105
    assert f"Permission for {POLL} could not be asked again." in caplog.text


async def test_deactivated_while_it_is_asked(
    gateway: Gateway,
    bob: User,
    lobby: ChatRoom,
    cookie_of: CookieOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who may hear nothing anymore because their account is gone is told of the account."""

    def may(user: AbstractUser, channel: str) -> bool:
        User.objects.filter(pk=user.pk).update(is_active=False)
        return False

    async with CentrifugePeer(cookie_of(bob)) as peer:
        await peer.ask("subscribe", channel=POLL)
        monkeypatch.setattr(named("poll"), "can_subscribe", may)
        await gateway.database.run(do_recheck, [bob.pk])
        assert (await peer.closed())[0] == 4503


async def test_anonymous_clients(
    gateway: Gateway, bob: User, cookie_of: CookieOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They lose what is for nobody anymore, as everybody does, and keep what a server granted."""
    poll, open_to = named("poll"), {POLL, "poll:other"}
    monkeypatch.setattr(poll, "lets_anonymous_in", True)
    monkeypatch.setattr(poll, "can_subscribe", lambda user, channel: channel in open_to)
    async with (
        CentrifugePeer() as one,
        CentrifugePeer() as two,
        CentrifugePeer(cookie_of(bob)) as his,
    ):
        for peer in (one, his):
            for channel in (POLL, "poll:other"):
                assert "subscribe" in await peer.ask("subscribe", channel=channel)
        granted = Subscribe(user="", client=two.welcome["client"], channel=POLL)
        await gateway.database.run(do_control, granted)
        assert (await two.push())["channel"] == POLL
        open_to.discard(POLL)
        await gateway.database.run(do_recheck, None)
        for peer in (one, his):
            push = await peer.push()
            assert (push["channel"], push["unsubscribe"]["code"]) == (POLL, 2000)
        await gateway.database.run(publish, POLL, {"choice": "yes"})
        await gateway.database.run(publish, "poll:other", {"choice": "no"})
        assert (await two.publication())["data"] == {"choice": "yes"}
        for peer in (one, his):
            assert (await peer.publication())["data"] == {"choice": "no"}


@pytest.mark.parametrize("flag", ["is_staff", "is_superuser"])
async def test_flag_taken_away_while_connecting(
    gateway: Gateway,
    permission: Permission,
    bob: User,
    cookie_of: CookieOf,
    flag: str,
) -> None:
    """What it permitted is neither heard nor said, although no recheck comes afterwards."""
    await gateway.database.run(User.objects.filter(pk=bob.pk).update, **{flag: True})
    take = functools.partial(User.objects.filter(pk=bob.pk).update, **{flag: False})
    cookie = cookie_of(bob)
    gateway.arrivals = Arrivals(interrupted := Interrupted(take, before=True))
    async with CentrifugePeer(cookie, connect={"subs": {POLL: {}}}) as peer:
        assert POLL not in peer.welcome["subs"]
        assert await peer.error("publish", channel=POLL, data={"choice": "yes"}) == 103
        assert await peer.error("subscribe", channel=POLL) == 103
    await gateway.database.run(User.objects.filter(pk=bob.pk).update, **{flag: True})
    assert not await Peer("/ws/poll/budget/", cookie).connects()
    interrupted.close()
