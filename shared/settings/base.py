"""
Settings that every service shares; each service's own module adds what makes it that service.

Values come from `shared.settings.env`. Production refuses to start half configured: see
`shared.settings.production`.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from shared.settings import databases, env, tokens
from shared.telemetry.logging import LEVELS

BASE_DIR = Path(__file__).resolve().parent.parent.parent

DEBUG = False
SECRET_KEY = env.text("CARILLON_SECRET_KEY")
# Others that what was signed may be signed with, while one is exchanged for another.
SECRET_KEY_FALLBACKS = env.listing("CARILLON_SECRET_KEY_FALLBACKS")

# Browsers may speak to us from these origins alone: hosts, CSRF, WebSocket Origin and the
# Secure flag of cookies all follow from this one list.
CARILLON_PUBLIC_ORIGINS = env.origins("CARILLON_PUBLIC_ORIGINS")
ALLOWED_HOSTS = sorted({urlsplit(origin).hostname or "" for origin in CARILLON_PUBLIC_ORIGINS})
CSRF_TRUSTED_ORIGINS = CARILLON_PUBLIC_ORIGINS
_HTTPS_ONLY = all(origin.startswith("https://") for origin in CARILLON_PUBLIC_ORIGINS)

# Allows the demo users, whose password everybody knows.
CARILLON_DEMO = env.boolean("CARILLON_DEMO", default=False)

# A team's own Django apps: their models, namespaces, templates and admin run in all services.
CARILLON_APPS = env.modules("CARILLON_APPS")

# The web tier adds the admin, messages and static files: pages are its business alone.
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "shared.realtime",
    "shared.ratelimit",
    "shared.presence",
    "shared.accounts",
    "shared.notifications",
    "shared.bulk",
    "shared.posts",
    "shared.chat",
    "shared.operations",
    *CARILLON_APPS,
]

DATABASES = {"default": databases.configured(env.database_url())}

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

SESSION_ENGINE = "shared.accounts.sessions"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _HTTPS_ONLY
# The __Host- prefix binds a cookie to this very host; browsers accept it only with Secure.
SESSION_COOKIE_NAME = "__Host-carillon_session" if _HTTPS_ONLY else "carillon_session"
CSRF_COOKIE_NAME = "__Host-carillon_csrf" if _HTTPS_ONLY else "carillon_csrf"

# What users may choose; the first is for everybody else, and for what is said to all at once.
LANGUAGES = env.languages("CARILLON_LANGUAGES")
LANGUAGE_CODE = LANGUAGES[0][0]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATIC_ROOT = env.path("CARILLON_STATIC_ROOT", BASE_DIR / ".state" / "static")

# Empty in the embedded form; every other service refuses to start without it.
BROKER_URL = env.broker_url()

# The doorbell: how a committed publication reaches the gateways, and whether it is rung at all
# (switched off, the gateways' head checks alone deliver).
CARILLON_BELL = "shared.broker.publisher.BrokerBell"
CARILLON_BROKER_BELLS = env.boolean("CARILLON_BROKER_BELLS", default=True)

# Which service this is, as metrics and logs name it; each service's settings say it.
CARILLON_SERVICE = "manage"

# Where a process serves its metrics and health; loopback, unless a container must be reached.
CARILLON_INTERNAL_HOST, CARILLON_INTERNAL_PORT = env.internal_address()

# Whose connection and subscription tokens count beside our own, which a key made from SECRET_KEY
# signs; what all of them must say of their reader and writer, where anything; how long ours last.
CARILLON_TOKEN_SECRETS = tokens.secrets()
CARILLON_TOKEN_PUBLIC_KEYS = tokens.public_keys()
CARILLON_TOKEN_AUDIENCE = env.text("CARILLON_TOKEN_AUDIENCE", "")
CARILLON_TOKEN_ISSUER = env.text("CARILLON_TOKEN_ISSUER", "")
CARILLON_TOKEN_LIFETIME_SECONDS = env.integer(
    "CARILLON_TOKEN_LIFETIME_SECONDS", 600, minimum=60, maximum=86_400
)

# Where the processes of a service that forks keep their metrics; read by the library itself.
CARILLON_METRICS_FOLDER = env.metrics_folder()

LOGGING_CONFIG = "shared.telemetry.logging.configure"
LOGGING = {"level": env.choice("CARILLON_LOG_LEVEL", LEVELS, "INFO")}
