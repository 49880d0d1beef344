"""What can be seen without asking any server: settings, and the machine that this runs on."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage

from shared.operations.catalogue import found
from shared.settings import production

__all__ = ["MANIFEST", "check_machine", "check_settings"]

MANIFEST = "staticfiles.json"
# As `services.gateway.transport.capacity` keeps beside the connections.
_RESERVED_FILES = 200
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def check_settings() -> Iterator[CheckMessage]:
    """Yield what is wrong with the settings, and what is risky."""
    for refusal in production.refusals():
        if refusal.id == "carillon.E003" and settings.CARILLON_SERVICE == "embedded":
            # One process, which rings its own bell.
            continue
        remedy = refusal.remedy[0].upper() + refusal.remedy[1:]
        yield found(refusal.id, refusal.fault, f"{remedy}.")
    if settings.CARILLON_DEMO:
        yield found(
            "carillon.W005",
            "CARILLON_DEMO is on, so that users with the demo password may sign in",
            "Unset it, and delete the demo users, wherever others can reach this.",
        )
    for origin in settings.CARILLON_PUBLIC_ORIGINS:
        parts = urlsplit(origin)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            yield found(
                "carillon.W006",
                f"CARILLON_PUBLIC_ORIGINS has {origin}, which has no TLS",
                "Passwords and cookies can be read on the way: end TLS in nginx, or before it.",
            )
    if settings.BROKER_URL and settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        yield found(
            "carillon.W007",
            "DATABASE_URL names SQLite, which several services would share",
            "They lock each other out: use PostgreSQL, or `make run`'s single process.",
        )


def check_machine() -> Iterator[CheckMessage]:
    """Yield what this machine or container does not give the service that these settings are of."""
    if (wanted := getattr(settings, "CARILLON_GATEWAY_CONNECTIONS", None)) is not None:
        yield from _check_files(wanted, is_given=settings.CARILLON_GATEWAY_CONNECTIONS_IS_GIVEN)
    if settings.CARILLON_SERVICE in {"web", "worker"} and not settings.CARILLON_METRICS_FOLDER:
        yield found(
            "carillon.W012",
            "PROMETHEUS_MULTIPROC_DIR is not set here",
            "A service that forks needs it to count; a shell beside one does not.",
        )
    if _serves_hashed_files() and not Path(settings.STATIC_ROOT, MANIFEST).is_file():
        yield found(
            "carillon.E013",
            f"{settings.STATIC_ROOT} has no {MANIFEST}: static files were not collected there",
            "Run `manage.py collectstatic`, or set CARILLON_STATIC_ROOT to where they are.",
        )


def _check_files(wanted: int, *, is_given: bool) -> Iterator[CheckMessage]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _RESERVED_FILES
    if hard == resource.RLIM_INFINITY or hard >= needed:
        return
    if is_given or hard <= _RESERVED_FILES:
        yield found(
            "carillon.E010",
            f"{wanted} connections need {needed} open files, and the system allows {hard}",
            f"Allow {needed} (`ulimit -Hn {needed}`, LimitNOFILE={needed}), or set "
            "CARILLON_GATEWAY_CONNECTIONS to fewer; the gateway does not start.",
        )
    else:
        yield found(
            "carillon.W011",
            f"{hard} open files are allowed, so a gateway takes {hard - _RESERVED_FILES} "
            f"connections instead of {wanted}",
            f"Allow {needed} (`ulimit -Hn {needed}`, LimitNOFILE={needed}).",
        )


def _serves_hashed_files() -> bool:
    backend = getattr(settings, "STORAGES", {}).get("staticfiles", {}).get("BACKEND", "")
    # The default of Django's own settings belongs to services that serve no pages.
    return settings.CARILLON_SERVICE == "web" and "Manifest" in backend
