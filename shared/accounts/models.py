"""The user."""

from __future__ import annotations

import zoneinfo

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.contrib.auth.validators import ASCIIUsernameValidator
from django.core.exceptions import ValidationError
from django.db import models

from shared.accounts.names import validate_username

__all__ = ["User"]


def validate_time_zone(name: str) -> None:
    """Accept names of the IANA database alone."""
    if name not in zoneinfo.available_timezones():
        raise ValidationError("Choose a time zone such as Europe/Berlin.", code="time_zone")


class User(AbstractUser):
    """A person, with the language and the time zone that texts for them are rendered in."""

    username = models.CharField(
        max_length=150,
        unique=True,
        validators=[ASCIIUsernameValidator(), validate_username],
        help_text="Letters, digits and @ . + - _ only.",
        error_messages={"unique": "This name is taken: choose another one."},
    )
    language = models.CharField(max_length=16, choices=settings.LANGUAGES, default="en")
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])

    def __str__(self) -> str:
        return self.username
