"""The order of frames on real sockets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import pytest

from tests.gateway.transport.child import Child
from tests.gateway.transport.listeners import Listener, read_all

# More members than are written to at once, some in two groups; every fourth one stops now and then.
_MEMBERS = 12
_PADDING = "x" * 1500


class _Member:
    """A client that publishes, and has itself answered in between."""

    def __init__(self, server: Child, number: int) -> None:
        self.name = f"c{number}"
        self.groups = ("a", "b") if number % 2 else ("a",)
        self.is_slow = number % 4 == 0
        self.listener = Listener(
            server, "/hub/a", receive_buffer=16 * 1024 if self.is_slow else None
        )
        self.count = 0
        # What it must get of what it did itself, and what others must get, by group.
        self.own: list[str] = []
        self.published: dict[str, list[str]] = defaultdict(list)

    def commands(self) -> Iterator[str]:
        """Go on to its next step: something for all, something for itself."""
        for group in self.groups:
            text = self._text(group)
            self.published[group].append(text)
            self.own.append(text)
            yield f"publish {group} {text}"
            # Each way is at times the first after a publication.
            for verb in ("reply", "wire") if self.count % 4 else ("wire", "reply"):
                self.own.append(self._text("self"))
                yield f"{verb} {self.own[-1]}"

    def _text(self, kind: str) -> str:
        self.count += 1
        return f"{self.name} {kind} {self.count} {_PADDING}"

    def expected(self, others: list[_Member]) -> int:
        return len(self.own) + sum(
            len(other.published[group])
            for other in others
            for group in self.groups
            if other is not self
        )

    def check(self, others: list[_Member]) -> None:
        """What it did itself came as it was done; what others published came in their order."""
        came: dict[tuple[str, str], list[str]] = defaultdict(list)
        for text in self.listener.texts:
            source, kind, _ = text.split(" ", 2)
            came[source, "" if source == self.name else kind].append(text)
        assert came.pop((self.name, "")) == self.own
        for other in others:
            for group in self.groups:
                if other is not self and other.published[group]:
                    assert came.pop((other.name, group)) == other.published[group]
        assert not came


def _exchange(server: Child, steps: int) -> int:
    """Have everybody publish and be answered, with slow readers; return how many frames came."""
    members = [_Member(server, number) for number in range(_MEMBERS)]
    listeners = [member.listener for member in members]
    read_all(listeners, lambda: all(each.is_open for each in listeners))
    for member in members:
        if "b" in member.groups:
            member.listener.say("join b")
    server.eventually(lambda stats: stats["members"].get("b") == _MEMBERS // 2)
    quick = [member for member in members if not member.is_slow]
    stops = 0
    for step in range(steps):
        for member in members:
            member.listener.say(*member.commands())
        # Everybody else goes on at once.
        read_all(
            [member.listener for member in quick],
            lambda: all(len(m.listener.texts) == m.expected(members) for m in quick),
        )
        # The slow ones read when their sockets are full and some of it waits in the server.
        if step % 2 and server.stats()["busy"]:
            stops += 1
            for member in members:
                while member.is_slow and member.listener.read(most=100_000):
                    pass
    read_all(listeners, lambda: all(len(m.listener.texts) >= m.expected(members) for m in members))
    for member in members:
        member.check(members)
        member.listener.socket.close()
    assert steps < 100 or stops > 2
    return sum(len(each.texts) for each in listeners)


def test_order(server: Child) -> None:
    """Publications of two groups, ASGI messages and a wire's frames keep their order."""
    assert _exchange(server, 5) > 1_000


@pytest.mark.thorough
def test_order_of_100_000_frames(server: Child) -> None:
    """Also where readers stop again and again: none lost, none doubled, none misplaced."""
    assert _exchange(server, 480) > 100_000
    assert "Traceback" not in server.errors()
