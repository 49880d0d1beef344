"""`manage.py realtime_restored`: to be run after a database was restored from a backup."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from shared.realtime import deployment


class Command(BaseCommand):
    help = (
        "Tell the log that this database was restored: every epoch changes, and every client "
        "that comes back reads its history again instead of continuing where it was."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"New incarnation {deployment.renew()}: clients will read again.")
