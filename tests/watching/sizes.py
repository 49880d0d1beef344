"""How much a load does of everything: once before the counting begins, and then for it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["REHEARSAL", "SHOW", "Sizes"]


@dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    # Sockets of the plain protocol at each gateway, and of the Centrifuge protocol at the second.
    crowd: tuple[int, int]
    clients: int
    # What is said by a socket, by clients of the SDK, and by the API.
    messages: int
    by_clients: int
    by_api: int
    # Who goes away, and what is said meanwhile.
    leavers: int
    missed: int
    histories: int
    malformed: int
    pages: int
    nowhere: int
    closed: int
    # Tokens are asked for until so many were refused as too many; and by whom.
    too_many: int
    asker: str
    refused_tokens: int
    # Of a bulk job: whoever joined in that year.
    recipients: int
    year: int
    per_second: float = 15


# A series that is not there before its first event cannot be seen to grow by it. So everything is
# done once before the counting begins, as it has been in any deployment that is a day old.
REHEARSAL = Sizes(
    crowd=(3, 1),
    clients=1,
    messages=2,
    by_clients=1,
    by_api=1,
    leavers=2,
    missed=1,
    histories=1,
    malformed=1,
    pages=1,
    nowhere=1,
    closed=1,
    too_many=1,
    asker="bob",
    refused_tokens=1,
    recipients=3,
    year=1996,
)
SHOW = Sizes(
    crowd=(12, 8),
    clients=3,
    messages=60,
    by_clients=6,
    by_api=4,
    leavers=5,
    missed=7,
    histories=3,
    malformed=2,
    pages=30,
    nowhere=6,
    closed=2,
    too_many=3,
    asker="carol",
    refused_tokens=2,
    recipients=1_500,
    year=1997,
)
