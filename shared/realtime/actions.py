"""
Writes to the log that are nobody's domain: what other servers publish, and what they want done.

The server API calls these. An app publishes from its own `actions.py`, beside its own rows.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial

from django.db import transaction

from shared.broker import bell
from shared.broker.wire import Published
from shared.realtime import idempotency, streams
from shared.realtime.controls import CONTROLS, Control, decode, encode
from shared.realtime.drafts import encode_data
from shared.realtime.namespaces import namespace_of
from shared.realtime.outgoing import ring_on_commit
from shared.realtime.positions import NOWHERE, Position
from shared.realtime.prefixes import name_of
from shared.realtime.publish import Draft, publish, publish_many
from shared.realtime.transactions import retry_on_deadlock
from shared.telemetry import metrics

__all__ = ["do_control", "do_publish_each", "do_remove_history"]


@retry_on_deadlock
def do_publish_each(
    channels: Sequence[str],
    data: Mapping[str, object],
    *,
    skip_history: bool = False,
    idempotency_key: str = "",
    version: int = 0,
    version_epoch: str = "",
) -> list[Position]:
    """
    Publish the same data to channels, in one transaction.

    Args:
        channels: of registered namespaces. One that stands here twice gets it twice, but once
            with a key or a version.
        data: a JSON object of at most 64 KiB.
        skip_history: store nothing: whoever is connected gets it, at most once.
        idempotency_key: where this key was used in the last five minutes, publish nothing.
        version: from 1; where the log has this version or a newer one, publish nothing. 0 is
            none, and a channel without history has none.
        version_epoch: the counting that the version belongs to.

    Returns:
        Each channel's position, in their order: of this publication, of the first one with the
        key, or where the log stands if the version was outdated.

    Raises:
        InvalidChannel, UnknownNamespace, InvalidData: as `publish`; then nothing is written.
    """
    once = bool(idempotency_key or version)
    wanted = list(dict.fromkeys(channels)) if once else channels
    # Refused before anything is locked.
    text = encode_data(data)
    kept = [
        channel for channel in wanted if namespace_of(channel).history_size and not skip_history
    ]
    with transaction.atomic():
        known = idempotency.claim(idempotency_key, wanted) if idempotency_key else {}
        claimed = [channel for channel in wanted if channel not in known]
        if version:
            known |= _outdated([c for c in kept if c in claimed], version, version_epoch)
        drafts = [Draft(channel, data) for channel in wanted if channel not in known]
        if skip_history:
            _pass_by([draft.channel for draft in drafts], text)
            made = [NOWHERE] * len(drafts)
        else:
            made = [Position(each.epoch, each.offset) for each in publish_many(drafts)]
        if not once:
            return made
        known |= {draft.channel: place for draft, place in zip(drafts, made, strict=True)}
        if idempotency_key:
            idempotency.settle(idempotency_key, {channel: known[channel] for channel in claimed})
    return [known[channel] for channel in channels]


@retry_on_deadlock
def do_remove_history(channel: str) -> None:
    """Remove what the channel's log keeps; its numbering goes on where it is."""
    with transaction.atomic():
        streams.clear(channel)


@retry_on_deadlock
def do_control(control: Control) -> None:
    """
    Tell all gateways to do something with a user's connections.

    Raises:
        MalformedControl: it has a code or a reason that no client may be told, or a value of
            another type; the gateways would not understand it.
        InvalidData: over 64 KiB.
    """
    data = encode(control)
    decode(encode_data(data))
    publish(CONTROLS, data)


def _outdated(channels: Sequence[str], version: int, version_epoch: str) -> dict[str, Position]:
    """Return where those channels stand for which the version is too old; note it for the rest."""
    # From here to the commit nobody else publishes there, so the order of versions is theirs.
    streams.lock_streams(sorted(channels))
    outdated = idempotency.drop_outdated(channels, version, version_epoch)
    return (
        {channel: head.position for channel, head in streams.touch_many(outdated).items()}
        if outdated
        else {}
    )


def _pass_by(channels: Sequence[str], text: str) -> None:
    """Have gateways hear, after the commit, what the log does not keep."""
    now = time.time()
    passing = [Published(channel, "", 0, text, now) for channel in channels]
    ring_on_commit(passing, partial(_heard, passing))


def _heard(passing: Sequence[Published]) -> None:
    bell.ring(passing)
    for publication in passing:
        kind = name_of(publication.channel)
        metrics.PUBLISHES.labels(kind=kind, result="committed").inc()
