"""How much is done in one run."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FULL", "QUICK", "SMOKE", "Sizes"]


@dataclass(frozen=True)
class Sizes:
    """The numbers of one run."""

    # Users, who all are the job's recipients.
    recipients: int
    # Of them, those who have a notification socket open meanwhile.
    sockets: int
    # What the tutorial's loop does, and how many sockets it has. Fewer than Carillon's: its layer
    # binds a group for each, and every one more would slow it down.
    tutorial_recipients: int
    tutorial_sockets: int
    # Notifications in the table when the inbox is opened.
    notifications: int
    # Users with 10,000 notifications each.
    full_inboxes: int
    # For how long chat is measured while nothing else goes on.
    idle_seconds: float


QUICK = Sizes(
    recipients=100_000,
    sockets=1_000,
    tutorial_recipients=20_000,
    tutorial_sockets=200,
    notifications=1_000_000,
    full_inboxes=10,
    idle_seconds=20,
)
FULL = Sizes(
    recipients=1_000_000,
    sockets=10_000,
    tutorial_recipients=20_000,
    tutorial_sockets=200,
    notifications=10_000_000,
    full_inboxes=100,
    idle_seconds=60,
)
# Shows that the benchmark works; its figures mean nothing.
SMOKE = Sizes(
    recipients=2_000,
    sockets=50,
    tutorial_recipients=500,
    tutorial_sockets=20,
    notifications=40_000,
    full_inboxes=1,
    idle_seconds=3,
)
