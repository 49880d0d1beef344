"""Who asks: a server by its key, for the methods and the namespaces that the key was made for."""

from __future__ import annotations

import math

from django.conf import settings
from django.http import HttpRequest

from services.web.server_api.errors import UNAUTHORIZED, ServerApiError, TooManyCalls
from shared.accounts.keys import find_key
from shared.accounts.models import ApiKey, User
from shared.ratelimit.actions import do_spend
from shared.ratelimit.rates import Rate
from shared.realtime.exceptions import ErrorCode, RealtimeError
from shared.realtime.namespaces import Namespace, namespace_for_clients
from shared.telemetry import metrics

__all__ = ["MOST_ANSWERED", "MOST_TOLD", "SERVER_API", "Caller", "authenticate"]

# The scope of the rate limit, as metrics have it.
SERVER_API = "server_api"
# Characters that one request has gateways told: half of what the queue of bells takes.
MOST_TOLD = 16 * 1024 * 1024
# Bytes that one request is answered, before nothing else is read for it.
MOST_ANSWERED = 16 * 1024 * 1024

_SCHEME = "apikey"
_MINUTE = 60.0


class Caller:
    """A server with a valid key."""

    def __init__(self, key: ApiKey) -> None:
        self._scopes = frozenset(key.scopes)
        self._key = key.pk
        # Empty is every namespace.
        self._namespaces = frozenset(key.namespaces)
        # In whose name the apps' own methods are called.
        self.user: User = key.user
        self._told = 0
        self._answered = 0

    def spend(self, calls: int) -> None:
        """
        Count calls; all processes that answer the key count together.

        Raises:
            TooManyCalls: there are none left for now.
        """
        most = settings.CARILLON_SERVER_API_CALLS_PER_MINUTE
        if not most or not calls:
            return
        rate = Rate(most, _MINUTE)
        # A batch is spent at once, however large: then it is all that there is.
        if wait := do_spend(f"server_api:{self._key}", rate, uses=min(calls, most)):
            metrics.RATE_LIMITED.labels(scope=SERVER_API).inc()
            raise TooManyCalls(most, math.ceil(wait))

    def tell(self, characters: int) -> None:
        """
        Count what gateways are told for this request.

        Raises:
            ServerApiError: 106. It would be stored, and no bell would ring for it.
        """
        if self._told + characters > MOST_TOLD:
            words = f"{MOST_TOLD} characters of data in one request, counted for each channel"
            raise ServerApiError(ErrorCode.LIMIT_EXCEEDED, words)
        self._told += characters

    def check_room(self, octets: int = 1) -> None:
        """
        Refuse an answer, or what there is of it yet, that the request has no room for.

        From then on it has room for no other, so that nothing is read in vain.

        Raises:
            ServerApiError: 106.
        """
        if self._answered + octets > MOST_ANSWERED:
            self._answered = MOST_ANSWERED
            words = f"{MOST_ANSWERED} bytes of answers to one request: ask in several, or for less"
            raise ServerApiError(ErrorCode.LIMIT_EXCEEDED, words)

    def answer(self, octets: int) -> None:
        """Count what this request is answered, also where it is not refused for its size."""
        self._answered += octets

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
        try:
            namespace = namespace_for_clients(channel)
        except RealtimeError:
            return False
        return self._is_for(namespace)

    def namespace_of(self, channel: str) -> Namespace:
        """
        Return the namespace of a channel that the key may name.

        Raises:
            InvalidChannel, UnknownNamespace: it has no rules, or none for clients.
            ServerApiError: 103, the key is for other namespaces.
        """
        namespace = namespace_for_clients(channel)
        if not self._is_for(namespace):
            detail = f"this key is not for the namespace {namespace.name}"
            raise ServerApiError(ErrorCode.PERMISSION_DENIED, detail)
        return namespace

    def _is_for(self, namespace: Namespace) -> bool:
        return not self._namespaces or namespace.name in self._namespaces


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
