"""Admission: a crowd is let in a few at a time, and nobody is kept waiting by who says nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from services.gateway import admission as admissions
from services.gateway.admission import Admission, Full
from services.gateway.outbox import QueuedOutbox
from services.gateway.runtime import Gateway
from shared.accounts.models import User
from tests.gateway.centrifuge.peer import CentrifugePeer
from tests.gateway.peer import eventually

LONG = 60.0
SHORT = 0.01


async def test_few_at_a_time_in_their_order() -> None:
    """As many as are allowed have a turn; each that ends is the next one's."""
    admission = Admission(2, silent_seconds=LONG)
    let_in: list[int] = []

    async def come(number: int) -> None:
        turn = await admission.turn()
        let_in.append(number)
        await go.wait()
        turn.end()

    go = asyncio.Event()
    crowd = [asyncio.create_task(come(number)) for number in range(6)]
    await eventually(lambda: let_in == [0, 1])
    go.set()
    await asyncio.gather(*crowd)
    assert let_in == [0, 1, 2, 3, 4, 5]


async def test_turn_that_ends_twice() -> None:
    """It lets one in, not two."""
    admission = Admission(1, silent_seconds=LONG, patient_seconds=SHORT)
    turn = await admission.turn()
    turn.end()
    turn.end()
    await admission.turn()
    with pytest.raises(Full):
        await admission.turn()


async def test_who_says_nothing() -> None:
    """A turn without a word is over soon; one in which a frame has come is not."""
    admission = Admission(1, silent_seconds=SHORT, patient_seconds=LONG)
    await admission.turn()
    speaking = await admission.turn()
    speaking.speak()
    waiting = asyncio.create_task(admission.turn())
    # As long as many turns without a word.
    done, _ = await asyncio.wait({waiting}, timeout=10 * SHORT)
    assert not done
    speaking.end()
    await waiting


async def test_who_goes_while_waiting() -> None:
    """Nobody's turn is lost to those who are gone."""
    admission = Admission(1, silent_seconds=LONG)
    turn = await admission.turn()
    gone = [asyncio.create_task(admission.turn()) for _ in range(3)]
    waiting = asyncio.create_task(admission.turn())
    await asyncio.sleep(0)
    for each in gone:
        each.cancel()
    turn.end()
    await waiting


@pytest.mark.django_db(transaction=True)
async def test_handshake_waits_for_its_turn(
    gateway: Gateway, alice: User, cookie_of: Callable[[User], str]
) -> None:
    """It is answered when the one before has heard who it is, and refused when that takes long."""
    gateway.admission = Admission(1, silent_seconds=LONG, patient_seconds=LONG)
    first, second, third = (CentrifugePeer(cookie_of(alice)) for _ in range(3))
    await first.opens()
    opening = asyncio.create_task(second.opens())
    await eventually(lambda: gateway.admission._places._waiters)
    assert not opening.done()
    await first.ask("connect")
    assert (await opening)[0]
    gateway.admission._patient_seconds = SHORT
    assert not (await third.opens())[0]
    await second.ask("connect")
    for each in (first, second):
        await each.leave()


async def test_turn_does_not_last_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also not of one who has spoken, and is slow to be answered."""
    monkeypatch.setattr(admissions, "_LONGEST_SECONDS", SHORT)
    admission = Admission(1, silent_seconds=LONG)
    turn = await admission.turn()
    turn.speak()
    await admission.turn()


@pytest.mark.django_db(transaction=True)
async def test_who_is_slow_to_read_keeps_nobody_waiting(
    gateway: Gateway,
    alice: User,
    bob: User,
    cookie_of: Callable[[User], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A turn ends where a client is to take first what it has been sent."""
    taken = asyncio.Event()
    monkeypatch.setattr(QueuedOutbox, "has_room", property(lambda outbox: taken.is_set()))
    monkeypatch.setattr(QueuedOutbox, "wait_for_room", lambda outbox: taken.wait())
    gateway.admission = Admission(1, silent_seconds=LONG, patient_seconds=LONG)
    slow, other = CentrifugePeer(cookie_of(alice)), CentrifugePeer(cookie_of(bob))
    await slow.opens()
    recovering = {"recover": True, "epoch": "x", "offset": 0}
    frame = [slow.command("connect"), slow.command("subscribe", channel="poll:x", **recovering)]
    await slow.send("\n".join(frame))
    assert "connect" in await slow.reply(1)
    assert (await other.opens())[0]
    taken.set()
    assert "subscribe" in await slow.reply(2)
    for each in (slow, other):
        await each.leave()


@pytest.mark.django_db(transaction=True)
async def test_who_leaves_before_a_word(
    gateway: Gateway, alice: User, cookie_of: Callable[[User], str]
) -> None:
    """Its turn ends with it."""
    gateway.admission = Admission(1, silent_seconds=LONG, patient_seconds=LONG)
    for _ in range(3):
        peer = CentrifugePeer(cookie_of(alice))
        await peer.opens()
        await peer.leave()
