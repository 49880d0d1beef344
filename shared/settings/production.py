"""
How a production service starts, or refuses to: a half-configured deployment must never serve.

A refusal is one line on standard error and exit status 3, which gunicorn takes as final; as an
exception it would be buried in the tracebacks of whoever imported us.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, ProgrammingError, connection

from shared.settings import env

__all__ = ["Refusal", "in_one_line", "refusals", "refuse_unsafe", "set_up"]

_SECRET_CHARACTERS = 32
_REFUSED = 3
_AGAIN_SECONDS = 2.0


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
        _tell(error)
        raise SystemExit(_REFUSED) from None


class Refusal(NamedTuple):
    """
    A setting that no service starts with.

    Attributes:
        id: of the system check that finds the same.
        fault: what is wrong.
        remedy: what to do.
    """

    id: str
    fault: str
    remedy: str

    @property
    def sentence(self) -> str:
        return f"{self.fault}: {self.remedy}."


def _is_weak(key: str) -> bool:
    return len(key) < _SECRET_CHARACTERS or "insecure" in key


def refusals() -> Iterator[Refusal]:
    """Yield what is unsafe in the settings; without asking any server."""
    if settings.DEBUG or env.boolean("CARILLON_DEBUG", default=False):
        yield Refusal(
            "carillon.E001", "CARILLON_DEBUG is on", "a service that others reach never debugs"
        )
    keys = {"CARILLON_SECRET_KEY": [settings.SECRET_KEY]}
    keys["CARILLON_SECRET_KEY_FALLBACKS"] = settings.SECRET_KEY_FALLBACKS
    for name in (name for name, given in keys.items() if any(map(_is_weak, given))):
        yield Refusal(
            "carillon.E002",
            f"{name} is weak",
            f"use at least {_SECRET_CHARACTERS} random characters",
        )
    broker = urlsplit(settings.BROKER_URL)
    if not broker.username or not broker.password:
        yield Refusal(
            "carillon.E003",
            "BROKER_URL is not set, or has no user and password",
            "the broker needs both",
        )
    elif "guest" in {broker.username, broker.password}:
        yield Refusal(
            "carillon.E004", "BROKER_URL uses the guest account", "give Carillon its own user"
        )


def _check_settings() -> None:
    for refusal in refusals():
        raise ImproperlyConfigured(refusal.sentence)


def _check_demo_users() -> None:
    try:
        _refuse_demo_users()
    except (OperationalError, ProgrammingError):
        # No database or no tables yet, so nobody can sign in either; readiness tells of it. It may
        # come with users whose password everybody knows.
        threading.Thread(target=_look_again, name="demo-users", daemon=True).start()


def _look_again() -> None:
    while True:
        time.sleep(_AGAIN_SECONDS)
        try:
            _refuse_demo_users()
        except (OperationalError, ProgrammingError):
            continue
        except ImproperlyConfigured as error:
            _tell(error)
            # From a thread nothing less ends a service, whichever it is.
            os._exit(_REFUSED)
        finally:
            connection.close()
        return


def _refuse_demo_users() -> None:
    from shared.accounts.demo import demo_users_left

    if left := demo_users_left():
        raise ImproperlyConfigured(
            f"The demo users {', '.join(left)} still have the demo password: change or delete them."
        )


def _tell(error: ImproperlyConfigured) -> None:
    sys.stderr.write(f"Carillon does not start: {error}\n")
    sys.stderr.flush()
