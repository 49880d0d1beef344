"""The deployment's incarnation: the part of every epoch that a restore or fail-over changes."""

from __future__ import annotations

import secrets

from django.db import connection

from shared.realtime.models import Deployment

__all__ = ["ensure", "incarnation", "renew", "renew_after_failover"]

# While it replays, as a standby or in the middle of a restore, there is none of its own yet.
_TIMELINE = """
    SELECT CASE WHEN NOT pg_is_in_recovery() THEN
        ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint
    END
"""


def _fresh() -> str:
    # Random, not counted up: a dump restored twice must not arrive at the same name twice.
    return secrets.token_hex(4)


def ensure() -> None:
    """Create the deployment's row if this database has none."""
    Deployment.objects.get_or_create(
        id=Deployment.ONLY, defaults={"incarnation": _fresh(), "timeline": _timeline() or 0}
    )


def incarnation() -> str:
    """Return the current incarnation, as stored."""
    return Deployment.objects.values_list("incarnation", flat=True).get(id=Deployment.ONLY)


def renew() -> str:
    """
    Begin a new incarnation and return it.

    From the commit on every epoch is another one, so no client can continue a position of the
    life before; each is told to read again.
    """
    fresh = _fresh()
    Deployment.objects.update_or_create(
        id=Deployment.ONLY, defaults={"incarnation": fresh, "timeline": _timeline() or 0}
    )
    return fresh


def renew_after_failover() -> bool:
    """
    Begin a new incarnation if PostgreSQL runs on another timeline than the stored one.

    A promoted standby starts a new timeline and may lack commits that clients have seen. Safe to
    call from every process: only one of them finds the old timeline.
    """
    timeline = _timeline()
    if timeline is None:
        # Nothing can be written yet, either.
        return False
    changed = (
        Deployment.objects.filter(id=Deployment.ONLY)
        .exclude(timeline=timeline)
        .update(incarnation=_fresh(), timeline=timeline)
    )
    return changed > 0


def _timeline() -> int | None:
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_TIMELINE)
        row: tuple[int | None] = cursor.fetchone()
        return row[0]
