"""
The one table of budgets.

A table and not a process's memory, because several web workers on several machines serve one
caller: memory would give them as many budgets. On PostgreSQL it is unlogged (see the migration):
a crash forgets it, which costs nobody anything, and no write of it waits for the disk.
"""

from __future__ import annotations

from django.db import models

__all__ = ["Budget"]


class Budget(models.Model):
    """When a caller's budget will be whole again; without a row, or in the past, it is whole."""

    # Whose budget, and for what: "messages:user:12". Made by programs, never by people.
    name = models.CharField(max_length=80, primary_key=True)
    # Seconds since 1970.
    whole_at = models.FloatField()

    def __str__(self) -> str:
        return f"{self.name} whole at {self.whole_at:.3f}"
