"""What a load has counted of itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Counted"]


@dataclass
class Counted:
    """What the load did; every number is a count of its own side."""

    # By gateway.
    opened: Counter[int] = field(default_factory=Counter)
    open: Counter[int] = field(default_factory=Counter)
    closed: Counter[int] = field(default_factory=Counter)
    # By close code as the gateway counts it.
    closed_by_code: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    users: int = 0
    # Connections of the Centrifuge protocol among them.
    clients: int = 0
    handshake_seconds: list[float] = field(default_factory=list)
    # Messages from clients: (endpoint, what they ask for).
    received: Counter[tuple[str, str]] = field(default_factory=Counter)
    # Commands that were answered, by what they ask for, and refused ones with their code.
    answered: Counter[str] = field(default_factory=Counter)
    command_errors: Counter[tuple[str, str]] = field(default_factory=Counter)
    command_seconds: list[float] = field(default_factory=list)
    # Chat messages that were committed, by the service that did it.
    committed: Counter[str] = field(default_factory=Counter)
    # Frames of chat messages that sockets got live, and those that they got on their return.
    delivered: int = 0
    recovered: int = 0
    recoveries: Counter[str] = field(default_factory=Counter)
    # Payload of the plain protocol that was sent to gateways, and of all that they sent to it.
    bytes_sent: int = 0
    bytes_heard: int = 0
    # From each send to each arrival.
    latencies: list[float] = field(default_factory=list)
    # HTTP answers: (method, route, status), and how long they took.
    answers: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    answer_seconds: list[float] = field(default_factory=list)
    auth_failures: Counter[str] = field(default_factory=Counter)
    limited: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    # The bulk job, by the database's own rows.
    recipients: Counter[str] = field(default_factory=Counter)
    chunks: int = 0
    job_seconds: float = 0.0
    jobs: Counter[str] = field(default_factory=Counter)

    def statuses(self) -> Counter[str]:
        """Count answers by status."""
        found: Counter[str] = Counter()
        for (_, _, status), count in self.answers.items():
            found[status] += count
        return found
