"""Listed recipients: ids that somebody gave, stored by sets, each once per job."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django.db import connection

from shared.accounts.models import User
from shared.bulk.models import Recipient

__all__ = ["Listing", "list_recipients"]

_LARGEST_ID = 2**63 - 1

_ADD = """
    WITH given AS (
        SELECT unnest(%(ids)s::bigint[]) AS id
    ), known AS (
        SELECT g.id FROM given g JOIN accounts_user u ON u.id = g.id WHERE u.is_active
    ), added AS (
        INSERT INTO bulk_recipient (job_id, user_id) SELECT %(job)s, id FROM known ORDER BY id
        ON CONFLICT DO NOTHING RETURNING user_id
    )
    SELECT (SELECT count(*) FROM added),
        ARRAY(SELECT g.id FROM given g WHERE NOT EXISTS (SELECT FROM known k WHERE k.id = g.id))
"""


class Listing(NamedTuple):
    """
    What became of given ids; added, duplicates and unknown are all of them.

    Attributes:
        added: recipients that the job did not have.
        duplicates: how often one was given that was there already.
        unknown: the given ids that are no active user's, in their order.
    """

    added: int
    duplicates: int
    unknown: list[int]


def list_recipients(job_id: int, ids: Sequence[int]) -> Listing:
    """Add some thousand ids to a job's recipients; the caller holds the job's row."""
    possible = sorted({number for number in ids if 0 < number <= _LARGEST_ID})
    add = _add_postgresql if connection.vendor == "postgresql" else _add_portable
    added, nobodys = add(job_id, possible)
    strangers = set(nobodys)
    unknown = [n for n in ids if n in strangers or not 0 < n <= _LARGEST_ID]
    return Listing(added, len(ids) - len(unknown) - added, unknown)


def _add_postgresql(job_id: int, ids: Sequence[int]) -> tuple[int, Iterable[int]]:
    with connection.cursor() as cursor:
        cursor.execute(_ADD, {"ids": list(ids), "job": job_id})
        row = cursor.fetchone()
    assert row is not None, "a statement of two counts has a row"
    return row[0], row[1]


def _add_portable(job_id: int, ids: Sequence[int]) -> tuple[int, Iterable[int]]:
    """Do the same through the ORM, for SQLite, whose one writer needs no locks."""
    active = User.objects.filter(pk__in=ids, is_active=True)
    known = set(active.values_list("pk", flat=True))
    there = Recipient.objects.filter(job_id=job_id, user_id__in=known)
    fresh = known - set(there.values_list("user_id", flat=True))
    rows = [Recipient(job_id=job_id, user_id=user_id) for user_id in sorted(fresh)]
    Recipient.objects.bulk_create(rows)
    return len(fresh), set(ids) - known
