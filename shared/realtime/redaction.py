"""Redaction of many publications of one stream at once: of somebody whose account goes."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import connection

from shared.realtime.drafts import encode_data
from shared.realtime.models import Stream

__all__ = ["redact_many"]

_REDACT = """
    UPDATE realtime_publication SET data = %s, ref = NULL WHERE stream_id = %s AND "offset" = %s
"""


def redact_many(channel: str, replacements: Mapping[int, Mapping[str, object]]) -> None:
    """
    Replace the data of a channel's stored publications, by offset; the offsets stay.

    What is not kept anymore is passed over.

    Raises:
        InvalidData: as `publish`.
    """
    stream_id = Stream.objects.filter(channel=channel).values_list("pk", flat=True).first()
    rows = [(encode_data(data), stream_id, offset) for offset, data in replacements.items()]
    if stream_id is None or not rows:
        return
    with connection.cursor() as cursor:
        # One round trip, and each row found by its key, whatever a planner would think of a join.
        cursor.executemany(_REDACT, rows)
