"""Refusals at start: the half-configured deployments that must never serve anybody."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError

from shared.settings import env

__all__ = ["refuse_unsafe"]

logger = logging.getLogger(__name__)

_SECRET_CHARACTERS = 32


def refuse_unsafe() -> None:
    """
    Stop a production service whose settings are unsafe; its entry point calls this once.

    Raises:
        ImproperlyConfigured: one sentence with the variable's name and what to do.
    """
    if settings.DEBUG or env.boolean("CARILLON_DEBUG", default=False):
        raise ImproperlyConfigured(
            "CARILLON_DEBUG is on: a service that others reach never debugs."
        )
    if len(settings.SECRET_KEY) < _SECRET_CHARACTERS or "insecure" in settings.SECRET_KEY:
        raise ImproperlyConfigured(
            f"CARILLON_SECRET_KEY is weak: use at least {_SECRET_CHARACTERS} random characters."
        )
    broker = urlsplit(settings.BROKER_URL)
    if not broker.username or not broker.password:
        raise ImproperlyConfigured(
            "BROKER_URL is not set, or has no user and password: the broker needs both."
        )
    if "guest" in {broker.username, broker.password}:
        raise ImproperlyConfigured("BROKER_URL uses the guest account: give Carillon its own user.")
    if not settings.CARILLON_DEMO:
        _refuse_demo_users()


def _refuse_demo_users() -> None:
    from django.db import ProgrammingError

    from shared.accounts.demo import demo_users_left

    try:
        left = demo_users_left()
    except (OperationalError, ProgrammingError) as error:
        # No database or no tables yet: nobody can sign in either; readiness tells of it.
        logger.warning("The demo users could not be looked for: %s", error)
        return
    if left:
        raise ImproperlyConfigured(
            f"The demo users {', '.join(left)} still have the demo password: change or delete them."
        )
