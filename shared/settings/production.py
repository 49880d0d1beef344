"""
How a production service starts, or refuses to: a half-configured deployment must never serve.

A refusal is one line on standard error and exit status 3, which gunicorn takes as final; as an
exception it would be buried in the tracebacks of whoever imported us.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError

from shared.settings import env

__all__ = ["in_one_line", "refuse_unsafe", "set_up"]

logger = logging.getLogger(__name__)

_SECRET_CHARACTERS = 32
_REFUSED = 3


def set_up(settings_module: str) -> None:
    """Set Django up for a service, unless its settings are incomplete or unsafe; then exit."""
    env.default_settings_module(settings_module)
    with in_one_line():
        django.setup()
    refuse_unsafe()


def refuse_unsafe() -> None:
    """
    Stop a service whose settings are unsafe; its entry point calls this once, by `set_up`.

    Raises:
        SystemExit: after one sentence with the variable's name and what to do.
    """
    with in_one_line():
        _check_settings()
        if not settings.CARILLON_DEMO:
            _check_demo_users()


@contextmanager
def in_one_line() -> Iterator[None]:
    """Turn a refused setting into its sentence and the end of the process."""
    try:
        yield
    except ImproperlyConfigured as error:
        sys.stderr.write(f"Carillon does not start: {error}\n")
        raise SystemExit(_REFUSED) from None


def _check_settings() -> None:
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


def _check_demo_users() -> None:
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
