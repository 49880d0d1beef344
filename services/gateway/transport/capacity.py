"""How many connections one process can hold: each takes a file descriptor."""

from __future__ import annotations

import logging
import resource

__all__ = ["RESERVE", "Capacity", "TooFewFiles", "connection_limit"]

logger = logging.getLogger(__name__)

# Beside the connections: 100 sockets that are being refused or have not said what they want, 65
# to the database at most, and the listening ones, the internal port's, the broker's, the event
# loop's and the log's.
RESERVE = 200
# Those of the reserve that have not said what they want, or are told that there is no room.
_ARRIVALS = 100
# From this part of the limit on, new clients had better be sent elsewhere.
_NEARLY = 0.95


class TooFewFiles(Exception):
    """
    The system allows fewer open files than the connections that were asked for take.

    Attributes:
        connections: how many were asked for.
        allowed: how many files may be open, by the hard limit.
        needed: how many must be allowed.
    """

    def __init__(self, connections: int, allowed: int) -> None:
        self.connections = connections
        self.allowed = allowed
        self.needed = connections + RESERVE

    def __str__(self) -> str:
        return (
            f"{self.connections} connections need {self.needed} open files, and the system allows "
            f"{self.allowed}: allow {self.needed} (`ulimit -Hn {self.needed}`), or have fewer."
        )


def connection_limit(wanted: int, *, is_given: bool) -> int:
    """
    Raise the soft limit of open files to the hard one, and return how many connections fit.

    Args:
        wanted: how many are to fit.
        is_given: whether somebody has asked for this very number; else fewer will do.

    Raises:
        TooFewFiles: this very number was asked for, or not even one connection fits.
    """
    allowed = _raised(wanted + RESERVE)
    if allowed >= wanted + RESERVE:
        return wanted
    if is_given or allowed <= RESERVE:
        raise TooFewFiles(wanted if is_given else 1, allowed)
    logger.warning(
        "At most %d connections, not %d: the system allows %d open files (`ulimit -Hn`).",
        allowed - RESERVE,
        wanted,
        allowed,
    )
    return allowed - RESERVE


class Capacity:
    """
    How many connections there are, and how many there may be.

    Attributes:
        limit: None for as many as the system allows.
        open: those whose handshake has begun, and which are not gone.
        arriving: sockets that have not said what they want.
    """

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.open = 0
        self.arriving = 0

    @property
    def is_full(self) -> bool:
        """Whether nobody can be let in."""
        return self.limit is not None and self.open >= self.limit

    @property
    def is_overrun(self) -> bool:
        """Whether there is no descriptor left even to tell anybody so."""
        return self.limit is not None and self.open + self.arriving > self.limit + _ARRIVALS

    def crowding(self) -> str | None:
        """Say that it is full, or nearly so; from any thread."""
        if self.limit is None or self.open < _NEARLY * self.limit:
            return None
        return f"{self.open} are open, and {self.limit} may be"


def _raised(needed: int) -> int:
    """Return how many files may be open, once as many may as can."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Not without any limit, which some systems say and do not mean.
    target = max(soft, needed) if hard == resource.RLIM_INFINITY else hard
    if soft in (resource.RLIM_INFINITY, target):
        return needed if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
    except (OSError, ValueError):
        return soft
    return target
