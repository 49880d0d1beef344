from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_out
from django.db.models.signals import post_save
from django.http import HttpRequest
from django.utils.module_loading import autodiscover_modules


class AccountsConfig(AppConfig):
    name = "shared.accounts"
    label = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        autodiscover_modules("personal_data")
        post_save.connect(
            _saved, sender="accounts.User", dispatch_uid="accounts.new_password", weak=False
        )
        user_logged_out.connect(_signed_out, dispatch_uid="accounts.signed_out")


def _saved(sender: Any, instance: Any, created: bool, **_: Any) -> None:
    # Django forgets a password that was set when it has been saved, after this. One that is hashed
    # anew at a sign-in is no new one: there it has forgotten it before.
    from shared.accounts.actions import do_end_old_logins

    if not created and instance._password is not None:
        do_end_old_logins(instance)


def _signed_out(sender: Any, request: HttpRequest | None, user: Any, **_: Any) -> None:
    # Before Django forgets the session; from the admin's pages and whatever else signs people out.
    from shared.accounts.actions import do_end_session

    key = None if request is None else request.session.session_key
    if user is not None and key is not None:
        do_end_session(user, key)
