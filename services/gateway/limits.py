"""How much one connection may send. Pure: the caller brings the clock."""

from __future__ import annotations

from collections import deque

__all__ = [
    "MESSAGES_BURST",
    "MESSAGES_PER_SECOND",
    "REST_SECONDS",
    "MalformedLimit",
    "RateLimit",
    "TokenBucket",
]

MESSAGES_PER_SECOND = 20.0
MESSAGES_BURST = 40.0

# For how long nothing is read of a client whose last message was one too many, so that who floods
# pays with time, not with the others' processor. Shorter than a token takes, or it would never be
# seen that the client does not wait.
REST_SECONDS = 0.02

_STRIKES = 3
_STRIKE_SECONDS = 1.0
_FORGIVEN_SECONDS = 60.0
_MALFORMED = 10


class TokenBucket:
    """Refills at `rate` tokens per second up to `burst`."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = now

    def take(self, now: float) -> float:
        """Take one token and return 0, or return the seconds until there is one."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._rate


class RateLimit:
    """
    20 messages a second, 40 at once; who does not listen is cut.

    A strike is a second in which messages came before the wait they were told was over. The third
    one within a minute is the end: a client that obeys `retry_after` never gets there, however
    much it has to send; a flooder does after about two seconds.
    """

    def __init__(self, now: float) -> None:
        self._bucket = TokenBucket(MESSAGES_PER_SECOND, MESSAGES_BURST, now)
        self._strikes: deque[float] = deque(maxlen=_STRIKES)
        # When the wait that was told last is over.
        self._retry_at = now

    def take(self, now: float) -> float:
        """Return 0 if a message may pass, else the seconds to wait before the next."""
        wait = self._bucket.take(now)
        if not wait:
            return 0.0
        disobeyed = now < self._retry_at
        if disobeyed and (not self._strikes or now - self._strikes[-1] >= _STRIKE_SECONDS):
            self._strikes.append(now)
        self._retry_at = now + wait
        return wait

    def exhausted(self, now: float) -> bool:
        """Whether the connection has had its warnings."""
        return len(self._strikes) == _STRIKES and now - self._strikes[0] < _FORGIVEN_SECONDS


class MalformedLimit:
    """Ten messages that cannot be read within a minute end the connection."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=_MALFORMED)

    def exceeded(self, now: float) -> bool:
        """Count one such message; return whether it was one too many."""
        self._times.append(now)
        return len(self._times) == _MALFORMED and now - self._times[0] < _FORGIVEN_SECONDS
