"""How recipients become chunks. Pure: no Django, no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

__all__ = ["CHUNK_RECIPIENTS", "PAGE_RECIPIENTS", "split"]

# What one transaction delivers: above it locks are held too long, far below it commits dominate.
CHUNK_RECIPIENTS = 1_000
# What one transaction plans.
PAGE_RECIPIENTS = 10 * CHUNK_RECIPIENTS


def split(user_ids: Sequence[int], most: int = CHUNK_RECIPIENTS) -> Iterator[Sequence[int]]:
    """
    Yield the ids in as few runs of at most `most` as there can be, all of nearly one size.

    1,200 become 600 and 600: a rest of a few would cost a transaction as a full one does.
    """
    count = -(-len(user_ids) // most)
    for number in range(count):
        yield user_ids[len(user_ids) * number // count : len(user_ids) * (number + 1) // count]
