"""
Delivery: notifications to up to a thousand users, stored and published in one transaction.

By sets, whatever the number: a user's notification, unread count and publication are written
together or not at all. Locks are taken in one order everywhere: inboxes in ascending user id, then
streams in ascending stream id. So deliveries wait for each other and never in a circle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import F
from django.utils import timezone

from shared.notifications.kinds import Kind, Text
from shared.notifications.models import Inbox, Notification
from shared.notifications.recipients import Failed, Rendered, read_recipients, render
from shared.realtime.publish import Addressed, publish_fan_out

__all__ = ["RECIPIENTS", "ChunkOutcome", "deliver_chunk"]

# The most that one transaction takes: a lock on each of their inboxes and streams is held in it.
RECIPIENTS = 1_000

# Active still: whoever was deleted since the recipients were read must not get a new inbox.
_INBOXES = """
    INSERT INTO notifications_inbox (user_id, unread)
    SELECT u.id, 0 FROM accounts_user u
    WHERE u.id = ANY(%s::bigint[]) AND u.is_active
        AND NOT EXISTS (SELECT FROM notifications_inbox i WHERE i.user_id = u.id)
    ORDER BY u.id
    ON CONFLICT (user_id) DO NOTHING
"""
# Who was served by this job already is dropped first; the rest is one pass over the locked inboxes.
# Served ones are looked up by a range of ids: asked for one by one, the planner prefers to read all
# that the job has done so far, again for each chunk.
_STORE = """
    WITH texts AS (
        SELECT * FROM unnest(%(titles)s::text[], %(bodies)s::text[], %(urls)s::text[])
            WITH ORDINALITY AS t(title, body, url, number)
    ), wanted AS (
        SELECT * FROM unnest(%(users)s::bigint[], %(chosen)s::int[]) AS w(user_id, chosen)
    ), served AS MATERIALIZED (
        SELECT n.user_id FROM notifications_notification n
        WHERE n.job_id = %(job)s AND n.user_id BETWEEN %(first)s AND %(last)s
    ), locked AS (
        SELECT i.user_id, w.chosen FROM wanted w JOIN notifications_inbox i USING (user_id)
        WHERE NOT EXISTS (SELECT FROM served WHERE served.user_id = w.user_id)
        ORDER BY i.user_id FOR UPDATE OF i
    ), counted AS (
        UPDATE notifications_inbox i SET unread = i.unread + 1 FROM locked l
        WHERE i.user_id = l.user_id RETURNING i.user_id, i.unread, l.chosen
    ), stored AS (
        INSERT INTO notifications_notification
            (user_id, kind, category, title, body, url, job_id, created)
        SELECT c.user_id, %(kind)s, %(category)s, t.title, t.body, t.url, %(job)s, %(now)s
        FROM counted c JOIN texts t ON t.number = c.chosen + 1
        RETURNING id, user_id
    )
    SELECT s.id, s.user_id, c.unread, c.chosen FROM stored s JOIN counted c USING (user_id)
"""


class ChunkOutcome(NamedTuple):
    """
    What became of the users that were to be told; together they are all of them.

    Attributes:
        delivered: who has the notification, now or since an earlier run of the same job.
        muted: who switched its category off.
        gone: who is not there or not active.
        failed: whose text could not be made, and why.
    """

    delivered: int
    muted: int
    gone: int
    failed: list[Failed]


class _Stored(NamedTuple):
    notification_id: int
    user_id: int
    unread: int
    chosen: int


def deliver_chunk(
    kind: type[Kind],
    user_ids: Sequence[int],
    context: Mapping[str, Any],
    *,
    job_id: int | None = None,
) -> ChunkOutcome:
    """
    Tell up to a thousand users; the caller is inside a transaction, and this is its last part.

    Args:
        kind: what is told.
        user_ids: to whom, each once.
        context: what the kind's templates are rendered with.
        job_id: the bulk job; a user whom it served before is not told again.
    """
    assert connection.in_atomic_block, "a delivery is part of a transaction"
    assert len(user_ids) <= RECIPIENTS, "the caller splits its recipients"
    recipients = read_recipients(user_ids, kind.category.key)
    wanted = [recipient for recipient in recipients if not recipient.muted]
    rendered = render(kind, wanted, context)
    now = timezone.now()
    delivered = _deliver(kind, rendered, now, job_id)
    muted = len(recipients) - len(wanted)
    gone = len(user_ids) - muted - delivered - len(rendered.failed)
    return ChunkOutcome(delivered, muted, gone, rendered.failed)


def _deliver(kind: type[Kind], rendered: Rendered, now: datetime, job_id: int | None) -> int:
    """Store and publish; return how many of the chosen have their notification."""
    if not rendered.chosen:
        return 0
    store = _store_postgresql if connection.vendor == "postgresql" else _store_portable
    stored = store(kind, rendered, now, job_id)
    publish_fan_out(
        "user",
        [_shared_data(kind, text, now) for text in rendered.texts],
        [
            Addressed(
                topic=str(row.user_id),
                ref=row.notification_id,
                own={"id": row.notification_id, "unread": row.unread},
                text=row.chosen,
            )
            for row in stored
        ],
    )
    if job_id is None or len(stored) == len(rendered.chosen):
        return len(stored)
    users = [user_id for user_id, _ in rendered.chosen]
    return Notification.objects.filter(job_id=job_id, user__in=users).count()


def _store_postgresql(
    kind: type[Kind], rendered: Rendered, now: datetime, job_id: int | None
) -> list[_Stored]:
    user_ids = [user_id for user_id, _ in rendered.chosen]
    # Array literals written here: the driver's own way costs as much as the statement.
    users = f"{{{','.join(map(str, user_ids))}}}"
    chosen = f"{{{','.join(str(index) for _, index in rendered.chosen)}}}"
    with connection.cursor() as cursor:
        cursor.execute(_INBOXES, [users])
        cursor.execute(
            _STORE,
            {
                "titles": [text.title for text in rendered.texts],
                "bodies": [text.body for text in rendered.texts],
                "urls": [text.url for text in rendered.texts],
                "users": users,
                "chosen": chosen,
                "first": min(user_ids),
                "last": max(user_ids),
                "kind": kind.key,
                "category": kind.category.key,
                "job": job_id,
                "now": now,
            },
        )
        return [_Stored(*row) for row in cursor.fetchall()]


def _store_portable(
    kind: type[Kind], rendered: Rendered, now: datetime, job_id: int | None
) -> list[_Stored]:
    """Do the same through the ORM, for SQLite, whose one writer needs no locks."""
    chosen = dict(rendered.chosen)
    if job_id is not None:
        served = Notification.objects.filter(job_id=job_id, user__in=list(chosen))
        for user_id in served.values_list("user_id", flat=True):
            del chosen[user_id]
    Inbox.objects.bulk_create([Inbox(user_id=user_id) for user_id in chosen], ignore_conflicts=True)
    Inbox.objects.filter(user__in=list(chosen)).update(unread=F("unread") + 1)
    unread = dict(Inbox.objects.filter(user__in=list(chosen)).values_list("user_id", "unread"))
    rows = Notification.objects.bulk_create(
        Notification(
            user_id=user_id,
            kind=kind.key,
            category=kind.category.key,
            **rendered.texts[index]._asdict(),
            job_id=job_id,
            created=now,
        )
        for user_id, index in chosen.items()
    )
    return [_Stored(row.pk, row.user_id, unread[row.user_id], chosen[row.user_id]) for row in rows]


def _shared_data(kind: type[Kind], text: Text, now: datetime) -> dict[str, Any]:
    """Return what clients see of a notification, but for its id and the count."""
    row = Notification(kind=kind.key, category=kind.category.key, **text._asdict(), created=now)
    data = row.as_data()
    del data["id"]
    return data
