"""`manage.py load_demo`: the demo's users, and what each app's `demo.py` adds for them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import module_has_submodule

from shared.accounts.demo import load_users


class Command(BaseCommand):
    help = (
        "Create the users alice, bob, carol and admin (password: carillon), the room lobby, and a "
        "post of alice's, whom bob follows. An app adds to it with load_demo(users) in its demo.py."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.CARILLON_DEMO:
            raise CommandError("Demo users have a known password: set CARILLON_DEMO=1 to allow it.")
        users = {user.username: user for user in load_users()}
        for config in apps.get_app_configs():
            if config.module is None or not module_has_submodule(config.module, "demo"):
                continue
            load = getattr(import_module(f"{config.name}.demo"), "load_demo", None)
            if load is not None:
                load(users)
        if options["verbosity"] > 0:
            self.stdout.write("Demo data is there: sign in as alice, bob, carol or admin.")
