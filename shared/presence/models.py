"""
The tables of presence. Nobody writes them but `actions` and `reports`, which only gateways call.

All are unlogged on PostgreSQL (see the migration): they survive neither a crash nor a fail-over.
"""

from __future__ import annotations

from django.db import models

__all__ = ["Lease", "PresentClient", "Report"]


class Lease(models.Model):
    """
    One running gateway process.

    Two processes may have one gateway's name for a while, the old one and its successor: each has
    a lease of its own.
    """

    # Random, and new for each process.
    incarnation = models.CharField(max_length=32, primary_key=True)
    gateway = models.CharField(max_length=80)
    # When it was renewed, by the database's clock.
    beat = models.DateTimeField()
    # The number of the process's last write (see `actions.Turn`).
    turn = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.gateway} ({self.incarnation})"


class PresentClient(models.Model):
    """
    A client that is subscribed to a channel and shown there.

    One that has left keeps its row for some seconds, so that other gateways do not tell of a user's
    leaving who may be on the way back.
    """

    pk = models.CompositePrimaryKey("channel", "client")
    channel = models.CharField(max_length=255)
    client = models.CharField(max_length=36)
    # A text, as tokens have it; "" is the anonymous user.
    user_id = models.CharField(max_length=255, blank=True)
    # The same as a number where it may be an account of ours: what queries for users join on. No
    # foreign key, because accounts stand above presence.
    account = models.BigIntegerField(null=True)
    # JSON texts, handed on as they are.
    conn_info = models.TextField(null=True)  # noqa: DJ001 - null: there is none, which is not ""
    chan_info = models.TextField(null=True)  # noqa: DJ001 - as above
    since = models.DateTimeField()
    # By the database's clock; null while the client is here.
    left_at = models.DateTimeField(null=True)
    # No database constraint: rows are written in the transaction that has renewed the lease.
    lease = models.ForeignKey(
        Lease,
        on_delete=models.CASCADE,
        db_constraint=False,
        db_index=False,
        related_name="clients",
    )

    class Meta:
        indexes = [
            # Here, because Django would add a second one to a text's foreign key, for LIKE.
            models.Index(fields=["lease"], name="presence_client_lease"),
            models.Index(
                fields=["account"],
                condition=models.Q(account__isnull=False),
                name="presence_client_account",
            ),
            models.Index(
                fields=["left_at"],
                condition=models.Q(left_at__isnull=False),
                name="presence_client_left",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.client} of {self.user_id or 'somebody'} in {self.channel}"


class Report(models.Model):
    """How a running gateway fares (see `clients.Condition`)."""

    # The lease's; no foreign key, as each is written and forgotten by itself.
    incarnation = models.CharField(max_length=32, primary_key=True)
    # By the database's clock.
    made = models.DateTimeField()
    version = models.CharField(max_length=40)
    uptime = models.BigIntegerField()
    cpu = models.FloatField()
    rss = models.BigIntegerField()
    interval = models.FloatField()
    items = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"{self.incarnation} at {self.made}"
