from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from services.gateway.tellings import Tellings
from shared.broker import bell
from shared.broker.wire import Published
from shared.presence import changes
from shared.presence.clients import ClientInfo


@pytest.fixture
def bells(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[Published]]:
    """What was rung, each time."""
    rung: list[Sequence[Published]] = []
    monkeypatch.setattr(bell, "ring", rung.append)
    return rung


def info(number: int) -> ClientInfo:
    return ClientInfo(f"c{number}", f"{number}")


async def test_what_comes_together_is_one_bell(bells: list[Sequence[Published]]) -> None:
    """In the order in which it happened."""
    tellings = Tellings()
    tellings.join("chat:a", info(1))
    tellings.leave("chat:b", info(2))
    tellings.join("chat:b", info(2))
    assert bells == []
    await asyncio.sleep(0)
    assert [[(each.channel, each.data) for each in rung] for rung in bells] == [
        [
            (each.channel, each.data)
            for each in (
                changes.join("chat:a", info(1)),
                changes.leave("chat:b", info(2)),
                changes.join("chat:b", info(2)),
            )
        ]
    ]


async def test_thousands_are_told_a_few_at_a_time(bells: list[Sequence[Published]]) -> None:
    """Everything else has its turn between them, and its place in the queue of bells."""
    tellings = Tellings()
    for number in range(1_000):
        tellings.join("chat:a", info(number))
    while sum(map(len, bells)) < 1_000:
        before = len(bells)
        await asyncio.sleep(0)
        assert len(bells) <= before + 1
    assert [len(rung) for rung in bells] == [300, 300, 300, 100]
    users = [changes.user_who_joined(each) for rung in bells for each in rung]
    assert users == [f"{number}" for number in range(1_000)]
    tellings.leave("chat:a", info(7))
    await asyncio.sleep(0)
    assert [each.channel for each in bells[4]] == ["presence:chat:a"]
