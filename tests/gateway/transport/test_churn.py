"""Connections that come and go while frames go out: descriptors get new owners all the time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.gateway.transport.child import Child
from tests.gateway.transport.listeners import Listener, read_all
from tests.gateway.transport.rawclient import CLOSE, close_payload, frame

_GROUPS = 10
# Together at a time, so that groups are written to in more than one way.
_BATCH = 250
# What the allocator keeps differs; if every third connection stayed, it would be seen.
_MOST_GROWTH = 24 * 1024 * 1024


class _Resident:
    """A client that stays, and publishes to its group."""

    def __init__(self, server: Child, name: str) -> None:
        self.name = name
        self.listener = Listener(server, f"/hub/{name}")
        self.published: list[str] = []

    def publish(self, count: int) -> None:
        texts = [f"{self.name} {len(self.published) + number}" for number in range(count)]
        self.published += texts
        self.listener.say(*(f"publish {self.name} {text}" for text in texts))

    @property
    def has_everything(self) -> bool:
        return len(self.listener.texts) >= len(self.published)


def _churn(server: Child, residents: list[_Resident], batches: int) -> int:
    """
    Let so many batches come and go.

    Returns:
        How many frames they got, each of which was one of their own groups.
    """
    frames = 0
    for batch in range(batches):
        names = [residents[number % _GROUPS].name for number in range(_BATCH)]
        # Frames go out while these come, and while the last ones' ends are noticed.
        visitors = []
        for number, name in enumerate(names):
            visitors.append(Listener(server, f"/hub/{name}"))
            if number % 50 == 0:
                for resident in residents:
                    resident.publish(1)
        listeners = [resident.listener for resident in residents]
        read_all([*visitors, *listeners], lambda: all(each.is_open for each in visitors))
        # Some never read.
        reading = [each for number, each in enumerate(visitors) if (number + batch) % 8]
        for resident in residents:
            resident.publish(2)
        read_all([*reading, *listeners], lambda: all(each.texts for each in reading))
        for number, (visitor, name) in enumerate(zip(visitors, names, strict=True)):
            if number % 25 == 0:
                residents[number // 25].publish(2)
            if visitor in reading:
                visitor.read()
                offsets = [int(text.removeprefix(f"{name} ")) for text in visitor.texts]
                assert not offsets or offsets == list(range(offsets[0], offsets[-1] + 1))
                frames += len(offsets)
            # What it has not read makes an RST of the plainest end, too.
            match number % 3:
                case 0:
                    visitor.reset()
                case 1:
                    visitor.socket.send(frame(CLOSE, close_payload(1000)))
                    visitor.socket.close()
                case _:
                    visitor.socket.close()
        read_all(listeners, lambda: all(resident.has_everything for resident in residents))
    return frames


def _come_and_go(server: Child, warm_up: int, batches: int) -> int:
    residents = [_Resident(server, f"g{number}") for number in range(_GROUPS)]
    listeners = [resident.listener for resident in residents]
    read_all(listeners, lambda: all(each.is_open for each in listeners))
    _churn(server, residents, warm_up)

    def is_quiet(stats: dict[str, object]) -> bool:
        # The residents and the one that asks.
        return stats["known"] == stats["open"] == _GROUPS + 1

    before = server.eventually(is_quiet)
    frames = _churn(server, residents, batches)
    after = server.eventually(is_quiet)
    assert after["members"] == {resident.name: 1 for resident in residents}
    assert after["connects"] == after["disconnects"] + _GROUPS
    assert after["rss"] - before["rss"] < _MOST_GROWTH
    for resident in residents:
        assert resident.listener.texts == resident.published
        resident.listener.socket.close()
    assert "Traceback" not in server.errors()
    return frames


def test_churn(serve: Callable[..., Child]) -> None:
    """Nobody gets another group's frame, those who stay get everything, memory comes back."""
    assert _come_and_go(serve(), 1, 3) > 600


@pytest.mark.thorough
def test_churn_of_20_000_connections(serve: Callable[..., Child]) -> None:
    """Half of them before memory is first looked at, as garbage is collected only now and then."""
    assert _come_and_go(serve(), 40, 40) > 8_000
