"""
Settings of the tests: the embedded form, in a state folder that goes away with the run.

SQLite, unless `DATABASE_URL` names a PostgreSQL server: the same tests pass on both. Nothing else
of the caller's environment counts, and the caller's environment is left as it was.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_STATE = Path(tempfile.mkdtemp(prefix="carillon-tests-"))
atexit.register(shutil.rmtree, _STATE, ignore_errors=True)

_CALLER = dict(os.environ)
for _name in list(os.environ):
    if _name.startswith("CARILLON_") or _name == "BROKER_URL":
        del os.environ[_name]
os.environ |= {
    "CARILLON_STATE_DIR": str(_STATE),
    "CARILLON_PUBLIC_ORIGINS": "http://testserver,http://127.0.0.1:8000",
    "CARILLON_APPS": "tests.team",
    "CARILLON_LANGUAGES": "en,de",
    # More threads than a service has use the database at once in some tests.
    "CARILLON_DATABASE_POOL_CONNECTIONS": "24",
    # Only bells deliver, unless a test switches the head check on.
    "CARILLON_GATEWAY_HEAD_CHECK_SECONDS": "0",
}

from services.embedded.settings import *  # noqa: E402
from shared.settings import databases, env  # noqa: E402

if "DATABASE_URL" in _CALLER:
    env.assign("DATABASE_URL", _CALLER["DATABASE_URL"])
    DATABASES = {"default": databases.configured(env.database_url())}

os.environ.clear()
os.environ |= _CALLER

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A file, as in the real thing: threads share no connection.
    DATABASES["default"]["TEST"] = {"NAME": str(_STATE / "tests.sqlite3")}

# Argon2 is slow on purpose.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
