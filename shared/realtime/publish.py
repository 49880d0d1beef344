"""
`publish`: the one door through which anything reaches a client.

Only an app's `actions.py` and a namespace's `on_publish` call it. It is an ORM write: it belongs
to the caller's transaction, and nothing is sent unless that commits.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial

from asgiref.sync import sync_to_async
from django.db import transaction

from shared.broker import bell
from shared.broker.wire import Published
from shared.realtime import streams
from shared.realtime.drafts import Draft, Entry, encode_data
from shared.realtime.namespaces import namespace_of
from shared.telemetry import metrics

__all__ = ["Draft", "Published", "apublish", "apublish_many", "publish", "publish_many"]


def publish(channel: str, data: Mapping[str, object], *, ref: int | None = None) -> Published:
    """
    Append to the channel's log and ring its bell after commit.

    Without a transaction around it, it is one of its own. The stream's row stays locked until
    the transaction ends: publish last. For several channels use `publish_many`.

    Args:
        channel: `namespace:topic` of a registered namespace.
        data: a JSON object of at most 64 KiB.
        ref: makes it a thin publication (see `Draft`).

    Returns:
        The publication with its epoch and offset (0 where the namespace keeps no history).

    Raises:
        InvalidChannel, UnknownNamespace: the channel has no rules.
        InvalidData: the data cannot be stored.
    """
    return publish_many([Draft(channel, data, ref)])[0]


def publish_many(drafts: Sequence[Draft]) -> list[Published]:
    """
    Publish to several channels in one transaction and with one bell.

    Streams are locked in ascending id, whatever the order of the drafts, so callers never
    deadlock with each other; call it once per transaction, and last. Results keep the order.

    Raises:
        InvalidChannel, UnknownNamespace, InvalidData: as `publish`; then nothing is written.
    """
    started = time.monotonic()
    # All that can be refused is refused before anything is written.
    entries = [Entry(draft, encode_data(draft.data)) for draft in drafts]
    logged = [namespace_of(draft.channel).history_size > 0 for draft in drafts]
    # No savepoint: a database error in here spoils the caller's transaction in any case.
    with transaction.atomic(savepoint=False):
        appended = iter(
            streams.append_many([e for e, keep in zip(entries, logged, strict=True) if keep])
        )
        published = [
            next(appended)
            if keep
            else Published(entry.draft.channel, "", 0, entry.text, time.time())
            for entry, keep in zip(entries, logged, strict=True)
        ]
        # robust: a bell that fails must not turn a committed write into an error.
        transaction.on_commit(partial(_committed, published, started), robust=True)
    return published


async def apublish(
    channel: str, data: Mapping[str, object], *, ref: int | None = None
) -> Published:
    """Do what `publish` does, from asynchronous code; in a transaction of its own."""
    return await sync_to_async(publish)(channel, data, ref=ref)


async def apublish_many(drafts: Sequence[Draft]) -> list[Published]:
    """Do what `publish_many` does, from asynchronous code; in a transaction of its own."""
    return await sync_to_async(publish_many)(drafts)


def _committed(published: Sequence[Published], started: float) -> None:
    bell.ring(published)
    elapsed = time.monotonic() - started
    for publication in published:
        kind = publication.channel.partition(":")[0]
        metrics.PUBLISHES.labels(kind=kind, result="committed").inc()
        metrics.PUBLISH_DURATION.labels(kind=kind).observe(elapsed)
