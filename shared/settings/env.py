"""
The process's environment: the only module that reads `os.environ`.

Readers return typed values and raise `ImproperlyConfigured` with one sentence that names the
variable and what it must hold. Every variable is `CARILLON_<PART>_<WHAT>` with its unit as
suffix, but `DATABASE_URL` and `BROKER_URL`, which keep their usual names. `docs/settings.md`
lists them all.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Collection
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from django.conf.locale import LANG_INFO
from django.core.exceptions import ImproperlyConfigured

__all__ = [
    "assign",
    "boolean",
    "broker_url",
    "choice",
    "database_url",
    "default_settings_module",
    "integer",
    "internal_address",
    "languages",
    "listing",
    "metrics_folder",
    "modules",
    "networks",
    "origins",
    "path",
    "preset",
    "seconds",
    "text",
]

# What may follow the name of a database: where to find whom, and how sure to be of it.
_DATABASE_OPTIONS = {"sslcert", "sslcrl", "sslkey", "sslmode", "sslrootcert"}


def default_settings_module(name: str) -> None:
    """Name the settings module of this process, unless the caller's environment has chosen one."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", name)


def assign(name: str, value: str) -> None:
    """Give a variable a value, whatever the caller's environment says."""
    os.environ[name] = value


def preset(name: str, value: str) -> None:
    """Give a variable a value, unless the caller's environment has one; for the embedded form."""
    os.environ.setdefault(name, value)


def text(name: str, default: str | None = None) -> str:
    """Return the variable, or the default; without a default an unset variable is refused."""
    value = os.environ.get(name, "").strip()
    if value:
        return value
    if default is None:
        raise ImproperlyConfigured(f"{name} is not set: this service cannot start without it.")
    return default


def boolean(name: str, default: bool) -> bool:
    """Return true for 1, true, yes, on and false for 0, false, no, off."""
    value = text(name, "1" if default else "0").lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name} is {value!r}: write 1 or 0.")


def integer(name: str, default: int, *, minimum: int = 0, maximum: int = 2**31) -> int:
    """Return a whole number between the bounds, both included."""
    value = text(name, str(default))
    if value.isascii() and value.isdigit() and minimum <= int(value) <= maximum:
        return int(value)
    raise ImproperlyConfigured(
        f"{name} is {value!r}: write a whole number from {minimum} to {maximum}."
    )


def seconds(name: str, default: float, *, minimum: float = 0, maximum: float = 86_400) -> float:
    """Return a duration in seconds, both bounds included."""
    value = text(name, str(default))
    try:
        number = float(value)
    except ValueError:
        number = -1
    if minimum <= number <= maximum:
        return number
    raise ImproperlyConfigured(
        f"{name} is {value!r}: write seconds from {minimum:g} to {maximum:g}."
    )


def listing(name: str) -> list[str]:
    """Return the comma-separated parts, without blanks; an unset variable is an empty list."""
    return [part.strip() for part in text(name, "").split(",") if part.strip()]


def networks(name: str, default: str) -> list[str]:
    """Return a comma-separated list of IP addresses or networks."""
    found = [item.strip() for item in text(name, default).split(",") if item.strip()]
    for item in found:
        try:
            ip_network(item)
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{name} has {item!r}: write addresses or networks such as 10.0.0.0/8."
            ) from error
    return found


def languages(name: str) -> list[tuple[str, str]]:
    """Return (code, own name) of comma-separated language codes that Django knows."""
    found = []
    for code in listing(name) or ["en"]:
        names = LANG_INFO.get(code.lower(), {})
        if "name_local" not in names:
            raise ImproperlyConfigured(f"{name}: {code!r} is no language code such as en or pt-br.")
        found.append((code.lower(), names["name_local"].capitalize()))
    return found


def choice(name: str, choices: Collection[str], default: str) -> str:
    """Return one of the choices, written in any case."""
    value = text(name, default).upper()
    if value in choices:
        return value
    raise ImproperlyConfigured(f"{name} is {value!r}: write one of {', '.join(choices)}.")


def modules(name: str) -> list[str]:
    """Return the import paths of a comma-separated list; each one can be imported."""
    found = listing(name)
    for module in found:
        # An app may be named by its AppConfig, whose package comes before the class.
        package = module.rpartition(".apps.")[0] or module
        try:
            known = importlib.util.find_spec(package) is not None
        except (ImportError, ValueError):
            known = False
        if not known:
            raise ImproperlyConfigured(
                f"{name} names {module!r}, which cannot be imported: "
                "install it, or put the folder that holds it on PYTHONPATH."
            )
    return found


def path(name: str, default: Path) -> Path:
    """Return a file system path."""
    return Path(text(name, str(default)))


def origins(name: str, default: str | None = None) -> list[str]:
    """
    Return exact web origins, `scheme://host[:port]` in lower case.

    Raises:
        ImproperlyConfigured: an entry has another form, or the list is empty.
    """
    found = []
    for entry in text(name, default).split(","):
        parts = _split(name, entry.strip().lower())
        if parts.scheme not in {"http", "https"} or not parts.hostname or "*" in parts.netloc:
            raise ImproperlyConfigured(
                f"{name} holds {entry!r}: write exact origins such as https://chat.example.org."
            )
        if parts.path not in {"", "/"} or parts.query or parts.fragment or "@" in parts.netloc:
            raise ImproperlyConfigured(f"{name} holds {entry!r}: an origin has no path.")
        # Browsers leave the scheme's own port out of the Origin header.
        usual = {"http": ":80", "https": ":443"}[parts.scheme]
        found.append(f"{parts.scheme}://{parts.netloc.removesuffix(usual)}")
    return found


def database_url(default: str | None = None) -> dict[str, object]:
    """
    Return Django's database entry for `DATABASE_URL`.

    `postgres://user:password@host:port/name` (percent-encoding decoded) or `sqlite:///path`. What
    libpq knows of TLS may follow, such as `?sslmode=verify-full&sslrootcert=/path`. Options that
    depend on the service, such as the pool's size, are the settings' business.
    """
    name = "DATABASE_URL"
    url = _split(name, text(name, default))
    if url.scheme == "sqlite" and len(url.path) > 1:
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": unquote(url.path[1:])}
    if url.scheme in {"postgres", "postgresql"} and url.path.strip("/") and _port_is_valid(url):
        entry: dict[str, object] = {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(url.path[1:]),
            "USER": unquote(url.username or ""),
            "PASSWORD": unquote(url.password or ""),
            "HOST": url.hostname or "",
            "PORT": str(url.port or ""),
        }
        options = dict(parse_qsl(url.query, keep_blank_values=True))
        if unknown := options.keys() - _DATABASE_OPTIONS:
            # Left out without a word, `sslmode=require` would be a connection in the clear.
            raise ImproperlyConfigured(
                f"{name} has the option {min(unknown)!r}: only "
                f"{', '.join(sorted(_DATABASE_OPTIONS))} are passed on."
            )
        return entry | ({"OPTIONS": options} if options else {})
    raise ImproperlyConfigured(
        f"{name} must look like postgres://user:password@host:5432/name or sqlite:///path, with "
        "what is special in a password as %2F and so on."
    )


def broker_url() -> str:
    """
    Return `BROKER_URL` in the form that both kombu and channels-rabbitmq read alike; "" if unset.

    channels-rabbitmq does not percent-decode credentials and hangs without a word on the
    virtual host `//`, so both are refused here.
    """
    value = text("BROKER_URL", "")
    if not value:
        return ""
    url = _split("BROKER_URL", value)
    if url.scheme not in {"amqp", "amqps"} or not url.hostname or not _port_is_valid(url):
        raise ImproperlyConfigured("BROKER_URL must look like amqp://user:password@host:5672/name.")
    if "%" in url.netloc:
        raise ImproperlyConfigured(
            "BROKER_URL has percent-encoded credentials: use letters and digits only."
        )
    if url.path.startswith("//") or not url.path.strip("/"):
        raise ImproperlyConfigured(
            "BROKER_URL names no virtual host: end it with a name, such as /carillon."
        )
    return value


def internal_address() -> tuple[str, int]:
    """Return host and port of `CARILLON_INTERNAL_HOST` and `CARILLON_INTERNAL_PORT`."""
    host = text("CARILLON_INTERNAL_HOST", "127.0.0.1")
    return host, integer("CARILLON_INTERNAL_PORT", 9000, maximum=65535)


def metrics_folder() -> Path | None:
    """
    Return `PROMETHEUS_MULTIPROC_DIR`, where processes that fork keep their metrics; None if unset.

    The library that writes there would end in a traceback, which names no variable.
    """
    name = "PROMETHEUS_MULTIPROC_DIR"
    value = text(name, "")
    if not value:
        return None
    folder = Path(value)
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ImproperlyConfigured(
            f"{name} is {value!r}, which is no folder that can be written to: make it before "
            "the service starts."
        )
    return folder


def _split(name: str, value: str) -> SplitResult:
    try:
        return urlsplit(value)
    except ValueError as error:
        # Without the value, which may hold a password.
        raise ImproperlyConfigured(
            f"{name} is no URL: write what is special in a password as %5B and so on."
        ) from error


def _port_is_valid(url: SplitResult) -> bool:
    try:
        return url.port != 0
    except ValueError:
        return False
