"""
Everything in one process, for one machine and no servers: `make run`.

SQLite instead of PostgreSQL, a call instead of RabbitMQ, a thread instead of Celery. Demo data is
allowed; nothing here is meant to face the internet.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from urllib.parse import quote

from shared.settings import env

_TOP = env.path("CARILLON_STATE_DIR", Path(__file__).resolve().parents[2] / ".state")
if not _TOP.exists():
    _TOP.mkdir(parents=True)
    # The account that PostgreSQL runs under in `make stack` must be able to pass.
    _TOP.chmod(0o711)
_STATE = _TOP / "embedded"
_STATE.mkdir(mode=0o700, exist_ok=True)


def _secret_key() -> str:
    # Kept, so that a restart signs nobody out.
    path = _STATE / "secret_key"
    if not path.exists():
        # Renamed into place: a crash in between leaves no empty key behind.
        fresh = path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(48))
        fresh.rename(path)
    return path.read_text()


CARILLON_PORT = env.integer("CARILLON_PORT", 8000, minimum=1, maximum=65535)

env.preset("CARILLON_SECRET_KEY", _secret_key())
env.preset(
    "CARILLON_PUBLIC_ORIGINS",
    f"http://127.0.0.1:{CARILLON_PORT},http://localhost:{CARILLON_PORT}",
)
# Not the caller's: demo users must never be made in a database that somebody uses.
env.assign("DATABASE_URL", f"sqlite:///{quote(str(_STATE / 'carillon.sqlite3'))}")
env.assign("BROKER_URL", "")
env.preset("CARILLON_DEMO", "1")
env.preset("CARILLON_LOG_LEVEL", "WARNING")

from services.gateway.settings import *  # noqa: E402
from services.web.settings import *  # noqa: E402

CARILLON_SERVICE = "embedded"
# For `manage.py runserver`, which then serves WebSockets, too.
INSTALLED_APPS = ["daphne", *INSTALLED_APPS]
ASGI_APPLICATION = "services.embedded.asgi.application"
CARILLON_BELL = "services.embedded.bell.LocalBell"
# No collectstatic: files come straight from the apps' folders, under their own names.
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
