"""
API keys: what a server signs its requests with.

A key is 56 characters: `ck_`, ten that are kept so that people can tell keys apart, and 43 that
carry 256 random bits. Only its SHA-256 is stored, so nobody can read a key out of the database.
"""

from __future__ import annotations

import enum
import hashlib
import logging
import secrets
from datetime import timedelta
from typing import NamedTuple

from django.db import DatabaseError, transaction
from django.db.models import Q
from django.utils import timezone

from shared.accounts.models import ApiKey

__all__ = ["NewKey", "Scope", "digest_of", "draw_key", "find_key"]

logger = logging.getLogger(__name__)

_MARK = "ck_"
_PREFIX_BYTES = 7
_SECRET_BYTES = 32
_PREFIX_CHARACTERS = len(_MARK) + 10
_KEY_CHARACTERS = _PREFIX_CHARACTERS + 43
# When a key was used last is for people: no request needs to write for it more often.
_USE_NOTED_EVERY = timedelta(minutes=1)


class Scope(enum.StrEnum):
    """What a key may do in its user's name; nothing that is not listed."""

    ROOMS_READ = "rooms:read"
    ROOMS_WRITE = "rooms:write"
    MESSAGES_WRITE = "messages:write"
    POSTS_READ = "posts:read"
    POSTS_WRITE = "posts:write"
    FOLLOWS_WRITE = "follows:write"
    NOTIFICATIONS_READ = "notifications:read"
    NOTIFICATIONS_WRITE = "notifications:write"
    ANNOUNCEMENTS_READ = "announcements:read"
    ANNOUNCEMENTS_WRITE = "announcements:write"
    BULK_READ = "bulk:read"
    BULK_WRITE = "bulk:write"
    REALTIME_TOKEN = "realtime:token"  # noqa: S105 it is the name of a scope

    # The methods of the server API, `server:<method>`; the key's namespaces narrow them.
    SERVER_PUBLISH = "server:publish"
    SERVER_BROADCAST = "server:broadcast"
    SERVER_SUBSCRIBE = "server:subscribe"
    SERVER_UNSUBSCRIBE = "server:unsubscribe"
    SERVER_DISCONNECT = "server:disconnect"
    SERVER_REFRESH = "server:refresh"
    SERVER_PRESENCE = "server:presence"
    SERVER_PRESENCE_STATS = "server:presence_stats"
    SERVER_HISTORY = "server:history"
    SERVER_HISTORY_REMOVE = "server:history_remove"
    SERVER_CHANNELS = "server:channels"
    SERVER_INFO = "server:info"
    SERVER_RPC = "server:rpc"


class NewKey(NamedTuple):
    """A key that nobody has stored: all of it, and the part that people may see later."""

    text: str
    prefix: str


def draw_key() -> NewKey:
    """Return a fresh random key."""
    prefix = _MARK + secrets.token_urlsafe(_PREFIX_BYTES)
    return NewKey(prefix + secrets.token_urlsafe(_SECRET_BYTES), prefix)


def digest_of(text: str) -> str:
    """Return what is stored of a key: 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def find_key(text: str) -> ApiKey | None:
    """
    Return the key with its user, if it is valid at this moment; ask for each request.

    None for anything else: no such key, a revoked one, one of a user who is not active. It is
    found by its digest, so what an answer takes tells nothing of how much of a guess is right.
    """
    if len(text) != _KEY_CHARACTERS or not text.isascii() or not text.startswith(_MARK):
        return None
    valid = ApiKey.objects.filter(revoked_at=None, user__is_active=True)
    key = valid.select_related("user").filter(digest=digest_of(text)).first()
    if key is not None:
        _note_use(key)
    return key


def _note_use(key: ApiKey) -> None:
    now = timezone.now()
    if key.last_used_at is not None and key.last_used_at > now - _USE_NOTED_EVERY:
        return
    # Asked again in the statement: of many requests in one moment only one writes.
    old = Q(last_used_at=None) | Q(last_used_at__lte=now - _USE_NOTED_EVERY)
    try:
        with transaction.atomic():
            ApiKey.objects.filter(old, pk=key.pk).update(last_used_at=now)
    except DatabaseError as error:
        # Such as one that may only be read: no reason to turn away who comes to read.
        logger.warning("The use of a key was not noted: %s", str(error).strip())
        return
    key.last_used_at = now
