"""Settings of the web tier: the base, and what answering HTTP takes."""

from __future__ import annotations

from django.utils.csp import CSP

from shared.settings import env
from shared.settings.base import *

CARILLON_SERVICE = "web"

INSTALLED_APPS = [
    "services.web",
    "django.contrib.admin",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    *INSTALLED_APPS,
]
ROOT_URLCONF = "services.web.urls"
WSGI_APPLICATION = "services.web.wsgi.application"

MIDDLEWARE = [
    "services.web.measure.RequestMetrics",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "services.web.middleware.ApiMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "services.web.middleware.BodyMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "services.web.middleware.ReaderMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "services.web.context.page_data",
            ],
        },
    },
]

LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "rooms"
LOGOUT_REDIRECT_URL = "sign-in"
CSRF_FAILURE_VIEW = "services.web.pages.errors.csrf_failure"

# Showing a message must not write: the session, the other place to keep them, is a table.
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    # Names carry a hash of the content, so that nginx may tell browsers to keep them for ever.
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}

SECURE_CSP = {
    "default-src": [CSP.SELF],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF],
    # Older browsers do not count ws: and wss: as 'self'.
    "connect-src": [
        CSP.SELF,
        *(origin.replace("http", "ws", 1) for origin in CARILLON_PUBLIC_ORIGINS),
    ],
    "frame-ancestors": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "form-action": [CSP.SELF],
    "object-src": [CSP.NONE],
}

# How much one user, and one API key, may write through the API in a minute, of each kind of thing.
CARILLON_API_WRITES_PER_MINUTE = env.integer("CARILLON_API_WRITES_PER_MINUTE", 120, minimum=1)
CARILLON_API_KEY_WRITES_PER_MINUTE = env.integer(
    "CARILLON_API_KEY_WRITES_PER_MINUTE", 1200, minimum=1
)
# How many calls of the server API one key may make in a minute, of whatever kind; 0 is any number.
CARILLON_SERVER_API_CALLS_PER_MINUTE = env.integer(
    "CARILLON_SERVER_API_CALLS_PER_MINUTE", 60_000, minimum=0
)

if SESSION_COOKIE_SECURE:
    # nginx ends TLS and overwrites this header, whatever a client sends.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
