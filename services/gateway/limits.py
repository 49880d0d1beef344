"""How much one connection may send. Pure: the caller brings the clock."""

from __future__ import annotations

__all__ = ["MESSAGES_BURST", "MESSAGES_PER_SECOND", "MalformedLimit", "RateLimit", "TokenBucket"]

MESSAGES_PER_SECOND = 20.0
MESSAGES_BURST = 40.0

_STRIKES = 3
_STRIKE_SECONDS = 1.0
_FORGIVEN_SECONDS = 60.0
# A client may have sent so many before it could hear of the first refusal. Who goes on is read more
# slowly, and pays with time, not with the others' processor; but sooner than the next token comes,
# or it would never be seen that the client does not wait.
_HASTY_REFUSALS = 100
_REST_TOKENS = 0.4
_MALFORMED = 10


class TokenBucket:
    """Refills at `rate` tokens per second up to `burst`."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = now

    def is_full(self, now: float) -> bool:
        """Whether nothing has been taken for so long that there is nothing to refill."""
        return self._tokens + (now - self._at) * self._rate >= self._burst

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
    So many messages a second, and so many at once; who does not listen is cut.

    A strike is a second in which messages came before the wait they were told was over. The third
    one within a minute is the end: a client that obeys `retry_after` never gets there, however
    much it has to send; a flooder does after about two seconds.
    """

    __slots__ = ("_bucket", "_refusals", "_rest", "_retry_at", "_strikes")

    def __init__(
        self, now: float, rate: float = MESSAGES_PER_SECOND, burst: float = MESSAGES_BURST
    ) -> None:
        self._bucket = TokenBucket(rate, burst, now)
        self._rest = _REST_TOKENS / rate
        # The last ones. No deque: each connection has one, and an empty one takes 0.7 KB.
        self._strikes: tuple[float, ...] = ()
        # When the wait that was told last is over.
        self._retry_at = now
        # Since the client last was quiet.
        self._refusals = 0

    def take(self, now: float) -> float:
        """Return 0 if a message may pass, else the seconds to wait before the next."""
        if self._bucket.is_full(now):
            self._refusals = 0
        wait = self._bucket.take(now)
        if not wait:
            return 0.0
        self._refusals += 1
        disobeyed = now < self._retry_at
        if disobeyed and (not self._strikes or now - self._strikes[-1] >= _STRIKE_SECONDS):
            self._strikes = (*self._strikes, now)[-_STRIKES:]
        self._retry_at = now + wait
        return wait

    @property
    def rest(self) -> float:
        """For how many seconds the next message is left where it is, after a refusal."""
        return self._rest if self._refusals > _HASTY_REFUSALS else 0.0

    def exhausted(self, now: float) -> bool:
        """Whether the connection has had its warnings."""
        return len(self._strikes) == _STRIKES and now - self._strikes[0] < _FORGIVEN_SECONDS


class MalformedLimit:
    """Ten messages that cannot be read within a minute end the connection."""

    __slots__ = ("_times",)

    def __init__(self) -> None:
        self._times: tuple[float, ...] = ()

    def exceeded(self, now: float) -> bool:
        """Count one such message; return whether it was one too many."""
        self._times = (*self._times, now)[-_MALFORMED:]
        return len(self._times) == _MALFORMED and now - self._times[0] < _FORGIVEN_SECONDS
