"""
Retention: a stream keeps its namespace's size and age, and nothing of its numbering is undone.

Only the oldest end is cut, and the head stays, so an offset is never handed out twice.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from django.db import OperationalError, transaction
from django.db.models import F, Max, OuterRef, Subquery
from django.utils import timezone

from shared.realtime.exceptions import RealtimeError
from shared.realtime.models import Publication, Stream
from shared.realtime.namespaces import Namespace, namespace_of

__all__ = ["trim"]

logger = logging.getLogger(__name__)

_STREAMS_AT_ONCE = 500


def trim() -> dict[str, int]:
    """
    Cut every stream to its namespace's `history_size` and `history_ttl`.

    Returns:
        How many publications went, by namespace.
    """
    removed: dict[str, int] = {}
    for namespace, stream_ids in _batches():
        try:
            with transaction.atomic():
                count = _trim_to_size(namespace, stream_ids) + _trim_to_age(namespace, stream_ids)
        except OperationalError as error:
            # A lock or a time-out: these streams' turn comes again, the others' is now.
            logger.warning("Streams of %s were not trimmed: %s", namespace.name, error)
            continue
        removed[namespace.name] = removed.get(namespace.name, 0) + count
    return removed


def _batches() -> Iterator[tuple[Namespace, Sequence[int]]]:
    """Yield every stream once, in batches of one namespace, in the order of their ids."""
    last = 0
    while page := Stream.objects.filter(id__gt=last, head__gt=0).order_by("id")[:_STREAMS_AT_ONCE]:
        batches: dict[Namespace, list[int]] = {}
        for stream in page:
            last = stream.pk
            try:
                batches.setdefault(namespace_of(stream.channel), []).append(stream.pk)
            except RealtimeError:
                # The app that declared it is not installed now; it decides when it is back.
                continue
        yield from batches.items()


def _trim_to_size(namespace: Namespace, stream_ids: Sequence[int]) -> int:
    cut = Stream.objects.filter(pk=OuterRef("stream_id")).annotate(
        cut=F("head") - namespace.history_size
    )
    return _delete_up_to(stream_ids, Subquery(cut.values("cut")))


def _trim_to_age(namespace: Namespace, stream_ids: Sequence[int]) -> int:
    if namespace.history_ttl is None:
        return 0
    # Clocks of two writers may differ: all before the last expired one goes, so that what stays
    # has no hole.
    expired = (
        Publication.objects.filter(
            stream_id=OuterRef("stream_id"), created__lt=timezone.now() - namespace.history_ttl
        )
        .order_by()
        .values("stream_id")
        .annotate(cut=Max("offset"))
    )
    return _delete_up_to(stream_ids, Subquery(expired.values("cut")))


def _delete_up_to(stream_ids: Sequence[int], cut: Subquery) -> int:
    count, _ = Publication.objects.filter(stream_id__in=stream_ids, offset__lte=cut).delete()
    return count
