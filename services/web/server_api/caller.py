"""Who asks: a server by its key, for the methods and the namespaces that the key was made for."""

from __future__ import annotations

from django.http import HttpRequest

from services.web.server_api.errors import UNAUTHORIZED, ServerApiError
from shared.accounts.keys import find_key
from shared.accounts.models import ApiKey, User
from shared.accounts.namespaces import REVOCATIONS
from shared.presence.changes import PRESENCE
from shared.realtime.controls import CONTROLS
from shared.realtime.exceptions import ErrorCode, UnknownNamespace
from shared.realtime.namespaces import Namespace, namespace_of
from shared.telemetry import metrics

__all__ = ["Caller", "authenticate"]

_SCHEME = "apikey"
# What servers and gateways tell each other; nobody else's business, so it does not exist.
_INTERNAL = {PRESENCE, *(channel.partition(":")[0] for channel in (REVOCATIONS, CONTROLS))}


class Caller:
    """A server with a valid key."""

    def __init__(self, key: ApiKey) -> None:
        self._scopes = frozenset(key.scopes)
        # Empty is every namespace.
        self._namespaces = frozenset(key.namespaces)
        # In whose name the apps' own methods are called.
        self.user: User = key.user

    def check_method(self, method: str) -> None:
        """
        Refuse a method that the key was not made for.

        Raises:
            ServerApiError: 103.
        """
        if f"server:{method}" not in self._scopes:
            detail = f"this key lacks the scope server:{method}"
            raise ServerApiError(ErrorCode.PERMISSION_DENIED, detail)

    def reaches(self, channel: str) -> bool:
        """Say whether the key was made for the channel's namespace."""
        name = channel.partition(":")[0]
        return name not in _INTERNAL and (not self._namespaces or name in self._namespaces)

    def namespace_of(self, channel: str) -> Namespace:
        """
        Return the namespace of a channel that the key may name.

        Raises:
            InvalidChannel, UnknownNamespace: it has no rules, or they are nobody's business.
            ServerApiError: 103, the key is for other namespaces.
        """
        namespace = namespace_of(channel)
        if namespace.name in _INTERNAL:
            raise UnknownNamespace(namespace.name)
        if not self.reaches(channel):
            detail = f"this key is not for the namespace {namespace.name}"
            raise ServerApiError(ErrorCode.PERMISSION_DENIED, detail)
        return namespace


def authenticate(request: HttpRequest) -> Caller:
    """
    Return who asks.

    A key is found by the digest of what was sent, so no comparison takes longer the more of a
    guess is right.

    Raises:
        ServerApiError: 101, for no key and for one that is not valid at this moment.
    """
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    text = request.headers.get("X-API-Key", "")
    if not text and scheme.lower() == _SCHEME:
        text = credentials.strip()
    key = find_key(text)
    if key is None:
        metrics.AUTH_FAILURES.labels(method="key").inc()
        raise ServerApiError(UNAUTHORIZED)
    return Caller(key)
