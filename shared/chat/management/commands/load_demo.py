"""`manage.py load_demo`: the demo's users and room."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from shared.accounts.demo import load_users
from shared.chat.actions import do_create_room
from shared.chat.models import ChatRoom


class Command(BaseCommand):
    help = "Create the users alice, bob, carol and admin (password: carillon) and the room lobby."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.CARILLON_DEMO:
            raise CommandError("Demo users have a known password: set CARILLON_DEMO=1 to allow it.")
        staff = load_users()[-1]
        if not ChatRoom.objects.filter(name="lobby").exists():
            do_create_room(staff, "lobby")
        if options["verbosity"] > 0:
            self.stdout.write("Demo data is there: sign in as alice, bob, carol or admin.")
