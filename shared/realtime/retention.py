"""
Retention: a stream keeps its namespace's size and age, and nothing of its numbering is undone.

Only the oldest end is cut, and the head stays, so an offset is never handed out twice. A million
streams take longer than a round may: the next goes on where this one stopped, and a pass over all
of them that took several rounds is followed by a rest.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from django.db import OperationalError, transaction
from django.db.models import F, Max, OuterRef, Subquery
from django.utils import timezone

from shared.realtime.exceptions import RealtimeError
from shared.realtime.models import Publication, Stream
from shared.realtime.namespaces import Namespace, namespace_of

__all__ = ["ROUND_SECONDS", "trim"]

logger = logging.getLogger(__name__)

_STREAMS_AT_ONCE = 500
ROUND_SECONDS = 20.0
# After a pass of several rounds: a tenth of the time at most is spent on streams that are in order.
_REST_PER_WORK = 9.0


class _Batch(NamedTuple):
    """Streams of one namespace that may have something to cut."""

    # Longer than their namespace's size.
    long: list[int]
    # Older than its age.
    old: list[int]


class _Pass:
    """
    Where a pass over all streams stands; one per process.

    Two processes that trim go their own ways: what the other has cut is found in order.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.last_id = 0
        self.worked_seconds = 0.0
        self.rests_until = 0.0

    def end(self, seconds: float) -> None:
        several_rounds = self.worked_seconds > 0
        self.worked_seconds += seconds
        if several_rounds:
            self.rests_until = time.monotonic() + _REST_PER_WORK * self.worked_seconds
        self.last_id, self.worked_seconds = 0, 0.0


_pass = _Pass()


def trim(seconds: float = ROUND_SECONDS) -> dict[str, int]:
    """
    Cut streams to their namespace's `history_size` and `history_ttl`, for so many seconds.

    Returns:
        How many publications went, by namespace.
    """
    removed: dict[str, int] = {}
    started = time.monotonic()
    with _pass.lock:
        if started < _pass.rests_until:
            return removed
        while page := _page(_pass.last_id):
            _trim_page(page, removed)
            _pass.last_id = page[-1].pk
            if len(page) < _STREAMS_AT_ONCE:
                break
            if (worked := time.monotonic() - started) >= seconds:
                _pass.worked_seconds += worked
                return removed
        _pass.end(time.monotonic() - started)
    return removed


def _page(last_id: int) -> list[Stream]:
    return list(Stream.objects.filter(id__gt=last_id, head__gt=0).order_by("id")[:_STREAMS_AT_ONCE])


def _trim_page(page: Iterable[Stream], removed: dict[str, int]) -> None:
    for namespace, batch in _batches(page).items():
        removed.setdefault(namespace.name, 0)
        try:
            with transaction.atomic():
                count = _trim_to_size(namespace, batch.long) + _trim_to_age(namespace, batch.old)
        except OperationalError as error:
            # A lock or a time-out: these streams' turn comes again, the others' is now.
            logger.warning("Streams of %s were not trimmed: %s", namespace.name, error)
            continue
        removed[namespace.name] += count


def _batches(page: Iterable[Stream]) -> Mapping[Namespace, _Batch]:
    """Pick the streams that may have something to cut; most have not, and cost nothing more."""
    now = timezone.now()
    batches: dict[Namespace, _Batch] = {}
    for stream in page:
        try:
            namespace = namespace_of(stream.channel)
        except RealtimeError:
            # The app that declared it is not installed now; it decides when it is back.
            continue
        batch = batches.setdefault(namespace, _Batch([], []))
        if stream.head > namespace.history_size:
            batch.long.append(stream.pk)
        if namespace.history_ttl is not None and stream.created < now - namespace.history_ttl:
            batch.old.append(stream.pk)
    return batches


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
    if not stream_ids:
        return 0
    count, _ = Publication.objects.filter(stream_id__in=stream_ids, offset__lte=cut).delete()
    return count
