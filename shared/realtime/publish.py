"""
`publish`: the one door through which anything reaches a client.

Only an app's `actions.py` and a namespace's `on_publish` call it. It is an ORM write: it belongs
to the caller's transaction, and nothing is sent unless that commits.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

from asgiref.sync import sync_to_async
from django.db import transaction

from shared.broker import bell
from shared.broker.wire import FanOut, Published
from shared.realtime import fanout, streams
from shared.realtime.drafts import Draft, Entry, encode_data
from shared.realtime.namespaces import namespace_of
from shared.realtime.outgoing import ring_on_commit
from shared.realtime.prefixes import name_of
from shared.realtime.speaking import speaker_in
from shared.telemetry import metrics

__all__ = [
    "Addressed",
    "Draft",
    "Published",
    "apublish",
    "apublish_many",
    "publish",
    "publish_fan_out",
    "publish_many",
]


class Addressed(NamedTuple):
    """
    One of many thin publications of a namespace that share their data.

    Attributes:
        topic: the part of the channel after the colon.
        ref: the id of its domain row.
        own: the data's members that are this publication's alone.
        text: which of the shared data it is, by index.
    """

    topic: str
    ref: int
    own: Mapping[str, object]
    text: int


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
    entries = _entries(drafts)
    logged = [namespace_of(draft.channel).history_size > 0 for draft in drafts]
    # No savepoint: a database error in here spoils the caller's transaction in any case.
    with transaction.atomic(savepoint=False):
        appended = iter(
            streams.append_many([e for e, keep in zip(entries, logged, strict=True) if keep])
        )
        published = [
            next(appended) if keep else _passing(entry)
            for entry, keep in zip(entries, logged, strict=True)
        ]
        ring_on_commit(published, partial(_committed, published, started))
    return published


def publish_fan_out(
    namespace: str, shared: Sequence[Mapping[str, object]], addressed: Sequence[Addressed]
) -> None:
    """
    Publish to many channels of one namespace, thin, in one transaction and with one bell.

    Costs a few statements, whatever the number. Like `publish_many`, it comes last in its
    transaction, and locks streams in ascending id.

    Args:
        namespace: a registered one, with history.
        shared: the data of the publications, without what is each one's own; not empty.
        addressed: to whom, each topic once.

    Raises:
        UnknownNamespace, InvalidChannel: a channel has no rules.
        InvalidData: the shared data cannot be stored.
    """
    if not addressed:
        return
    started = time.monotonic()
    by_channel = {f"{namespace}:{each.topic}": each for each in addressed}
    for channel in by_channel:
        namespace_of(channel)
    texts = [encode_data(data) for data in shared]
    with transaction.atomic(savepoint=False):
        appended = fanout.append_refs(list(by_channel), [each.ref for each in by_channel.values()])
        aimed = [by_channel[row.channel] for row in appended]
        fan_out = FanOut(
            namespace=namespace,
            time=time.time(),
            texts=texts,
            topics=[each.topic for each in aimed],
            epochs=[row.epoch for row in appended],
            offsets=[row.offset for row in appended],
            members=[encode_data(each.own)[1:-1] for each in aimed],
            chosen=[each.text for each in aimed],
        )
        ring_on_commit(fan_out, partial(_fanned_out, fan_out, started))


async def apublish(
    channel: str, data: Mapping[str, object], *, ref: int | None = None
) -> Published:
    """Do what `publish` does, from asynchronous code; in a transaction of its own."""
    return await sync_to_async(publish)(channel, data, ref=ref)


async def apublish_many(drafts: Sequence[Draft]) -> list[Published]:
    """Do what `publish_many` does, from asynchronous code; in a transaction of its own."""
    return await sync_to_async(publish_many)(drafts)


def _entries(drafts: Sequence[Draft]) -> list[Entry]:
    # Drafts of a broadcast share their data, and so its text: it is made once, and is there once
    # for as long as it waits to be told.
    texts: dict[int, str] = {}
    for draft in drafts:
        if id(draft.data) not in texts:
            texts[id(draft.data)] = encode_data(draft.data)
    return [Entry(draft, texts[id(draft.data)]) for draft in drafts]


def _passing(entry: Entry) -> Published:
    channel = entry.draft.channel
    return Published(channel, "", 0, entry.text, time.time(), speaker_in(channel))


def _committed(published: Sequence[Published], started: float) -> None:
    bell.ring(published)
    elapsed = time.monotonic() - started
    for publication in published:
        kind = name_of(publication.channel)
        metrics.PUBLISHES.labels(kind=kind, result="committed").inc()
        metrics.PUBLISH_DURATION.labels(kind=kind).observe(elapsed)


def _fanned_out(fan_out: FanOut, started: float) -> None:
    bell.ring_fan_out(fan_out)
    metrics.PUBLISHES.labels(kind=fan_out.namespace, result="committed").inc(len(fan_out))
    metrics.PUBLISH_DURATION.labels(kind=fan_out.namespace).observe(time.monotonic() - started)
