"""
Wires: connections as groups see them, which is a socket that takes bytes.

A wire is idle in all its groups or busy in all. Idle means that nothing of it waits in user space,
so that a group may write to its socket directly. A busy wire gets bytes through its transport,
behind those that wait there.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from shared.telemetry import metrics

if TYPE_CHECKING:
    from services.gateway.transport.fanout import FanOutGroup

__all__ = ["EXTENSION", "Wire"]

# In an ASGI scope's extensions, where an application finds its connection's wire, if it has one.
EXTENSION = "carillon.wire"


class Wire(ABC):
    """The part of a connection that its groups share; what the transport does is abstract."""

    # Of the class until they differ: ten thousand connections have them.
    groups: tuple[FanOutGroup, ...] = ()
    is_busy = False
    # In how many groups it has had more than the others, so that it must stay busy there.
    ahead = 0
    # Nothing may be sent anymore: a close frame was, or the socket is lost.
    is_cut = False

    @abstractmethod
    def descriptor(self) -> int:
        """Return the socket's file descriptor; it stays the same until `cut`."""

    @abstractmethod
    def unsent(self) -> int:
        """Return how many bytes wait in user space."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Send behind what waits, however much that is; `make_busy` is called if it has to wait."""

    @abstractmethod
    def write_within_bound(self, data: bytes) -> None:
        """Send behind what waits, or `cut` the wire and close it where too much waits already."""

    @abstractmethod
    def drop(self) -> None:
        """End the connection at once, after an error at which it may have got half a frame."""

    def join(self, group: FanOutGroup) -> None:
        """Hear a group from now on; what it is about to send was meant for the others."""
        if self.is_cut or group in self.groups:
            return
        self.groups = (*self.groups, group)
        if group.has_waiting or self.unsent():
            self.make_busy()
        group.add(self)

    def leave(self, group: FanOutGroup) -> None:
        """Get what the group has taken so far, and nothing after."""
        if group not in self.groups:
            return
        if not self.is_cut:
            group.catch_up(self)
        self.groups = tuple(each for each in self.groups if each is not group)
        group.remove(self)
        # It may have been busy for no other reason than being ahead there.
        self.make_idle()

    def catch_up(self) -> None:
        """Get now what the groups are about to send, because something else is to follow it."""
        for group in self.groups:
            if self.is_cut:
                return
            group.catch_up(self)

    def send(self, frame: bytes) -> None:
        """Send a frame to this wire alone, after everything that its groups took before."""
        if self.is_cut:
            return
        self.catch_up()
        if self.is_cut:
            return
        metrics.SENT_BYTES.inc(len(frame))
        if self.is_busy:
            self.write_within_bound(frame)
            return
        try:
            written = os.write(self.descriptor(), frame)
        except OSError:
            # The socket is full, or broken, which the transport finds out when it tries.
            written = 0
        if written < len(frame):
            self.write(frame[written:])

    def make_busy(self) -> None:
        """Note that bytes wait, or will: groups no longer write to the socket themselves."""
        if not self.is_busy:
            self.is_busy = True
            for group in self.groups:
                group.busied(self)

    def make_idle(self) -> None:
        """Note that nothing waits; a wire that is ahead of a group stays busy."""
        if self.is_busy and not self.ahead and not self.is_cut and not self.unsent():
            self.is_busy = False
            for group in self.groups:
                group.idled(self)

    def cut(self) -> None:
        """Leave all groups before anything else happens to the socket; twice is once."""
        self.is_cut = True
        groups, self.groups = self.groups, ()
        for group in groups:
            group.remove(self)
        self.ahead = 0
