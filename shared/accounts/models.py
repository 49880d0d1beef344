"""People, whom they follow, and the keys that servers act with."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable
from functools import partial
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.contrib.auth.validators import ASCIIUsernameValidator
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils import timezone

from shared.accounts.names import validate_username
from shared.presence.queries import accounts_online

__all__ = ["ApiKey", "Follow", "User", "languages"]


def validate_time_zone(name: str) -> None:
    """Accept names of the IANA database alone."""
    if name not in zoneinfo.available_timezones():
        raise ValidationError("Choose a time zone such as Europe/Berlin.", code="time_zone")


def languages() -> list[tuple[str, str]]:
    """Return the deployment's languages; a function, so that migrations do not depend on them."""
    return list(settings.LANGUAGES)


def first_language() -> str:
    """Return the language of users who have chosen none."""
    return settings.LANGUAGE_CODE


class UserManager(DjangoUserManager["User"]):
    """Django's own, which also knows who is here."""

    # Migrations need no more than Django's.
    use_in_migrations = False

    def online(self, channel: str | None = None) -> models.QuerySet[User]:
        """Return the users of whom a client is shown somewhere, or in one channel; each once."""
        return self.filter(pk__in=accounts_online(channel))


class User(AbstractUser):
    """A person, with the language and the time zone that texts for them are rendered in."""

    username = models.CharField(
        max_length=150,
        unique=True,
        validators=[ASCIIUsernameValidator(), validate_username],
        help_text="Letters, digits and @ . + - _ only.",
        error_messages={"unique": "This name is taken: choose another one."},
    )
    language = models.CharField(max_length=16, choices=languages, default=first_language)
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    # A banned user is an inactive one, which every check of Django and ours refuses already; what
    # a ban adds is the reason, which the next sign-in tells.
    banned_at = models.DateTimeField(null=True, blank=True, editable=False)
    ban_reason = models.CharField(max_length=200, blank=True, editable=False)
    banned_by = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, editable=False, related_name="+"
    )

    # Tokens that this deployment signed before do not count: a new password was set.
    tokens_after = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    class Meta(AbstractUser.Meta):
        constraints = [
            models.CheckConstraint(
                condition=models.Q(banned_at__isnull=True) | models.Q(is_active=False),
                name="accounts_user_banned_is_inactive",
            )
        ]

    def __str__(self) -> str:
        return self.username

    def save(self, *, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        """
        Save; a new password ends what the one before has opened, whoever has set it.

        Every form and command of Django sets one by `set_password` and `save`. What goes past them,
        as `QuerySet.update` does, ends the sessions alone.
        """
        # Django forgets what was set with the save. A password that is hashed anew at a sign-in is
        # no new one: there it has been forgotten before.
        is_new = getattr(self, "_password", None) is not None and not self._state.adding
        if is_new:
            self.tokens_after = timezone.now()
            if update_fields is not None:
                update_fields = {*update_fields, "tokens_after"}
        super().save(update_fields=update_fields, **kwargs)
        if is_new:
            from shared.accounts.actions import do_end_old_logins

            # Not in this transaction, which may go on for long and set many: all gateways hear of
            # it by one stream, and its row would stay locked. Should this process die in between,
            # the sessions have ended all the same, and connections last until they break.
            end = partial(do_end_old_logins, self)
            transaction.on_commit(end, using=self._state.db, robust=True)


class Follow(models.Model):
    """One user wants to hear what another posts."""

    follower = models.ForeignKey(User, on_delete=models.CASCADE, related_name="following")
    followed = models.ForeignKey(
        User, on_delete=models.CASCADE, db_index=False, related_name="followers"
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            # In this order it is also the index behind "the followers of", by keyset.
            models.UniqueConstraint(fields=["followed", "follower"], name="accounts_follow_once"),
            models.CheckConstraint(
                condition=~models.Q(follower=models.F("followed")), name="accounts_follow_another"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.follower} follows {self.followed}"


class ApiKey(models.Model):
    """
    What a server signs its requests with. The key itself is shown once and kept by nobody.

    It acts as its user, within its scopes (`shared.accounts.keys.Scope`).
    """

    name = models.CharField(max_length=100)
    # The first characters of the key, by which people tell keys apart.
    prefix = models.CharField(max_length=16, unique=True, editable=False)
    # SHA-256 in hex: a key has 256 random bits, so a slow hash would protect nothing more.
    digest = models.CharField(max_length=64, unique=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    scopes = models.JSONField(default=list)
    # Names of the namespaces whose channels the server API's methods reach; empty is all of them.
    namespaces = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, editable=False, related_name="+"
    )
    last_used_at = models.DateTimeField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-id"]
        verbose_name = "API key"
        verbose_name_plural = "API keys"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
