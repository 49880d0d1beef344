"""
What a handshake passes before a consumer sees it: the exact Origin, then the session's user.

Refusals cost no query before the Origin is known to be ours.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from channels.sessions import CookieMiddleware
from django.conf import settings

from services.gateway.database import DatabaseAway
from services.gateway.refusal import Receive, Scope, Send, refuse
from services.gateway.runtime import the_gateway
from shared.accounts.logins import login_of, mark_of
from shared.accounts.models import User
from shared.tokens.grants import Origin

__all__ = ["Application", "ExactOrigin", "SessionUser"]

type Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class ExactOrigin:
    """Lets through handshakes whose one Origin header is exactly one of ours."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = [value for name, value in scope["headers"] if name == b"origin"]
        allowed = settings.CARILLON_PUBLIC_ORIGINS
        if len(found) == 1 and found[0].decode("latin-1").lower() in allowed:
            await self._application(scope, receive, send)
        else:
            await receive()
            await refuse(scope, send, "origin")


class SessionUser:
    """Puts the user of the session cookie into the scope; without one the handshake ends."""

    def __init__(self, application: Application) -> None:
        self._with_cookies = CookieMiddleware(self._authenticate)
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._with_cookies(scope, receive, send)

    async def _authenticate(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = scope["cookies"].get(settings.SESSION_COOKIE_NAME)
        try:
            user = await the_gateway().arrivals.user(key) if key else None
        except DatabaseAway:
            await receive()
            await refuse(scope, send, "capacity")
            return
        if key and user is not None:
            assert isinstance(user, User), "AUTH_USER_MODEL is our own"
            login = login_of(user, Origin(session_key=key))
            known = {"user": user, "session": mark_of(login.origin), "login": login}
            await self._application({**scope, **known}, receive, send)
        else:
            await receive()
            await refuse(scope, send, "auth")
