"""Credentials: who comes with a token, with a session's cookie, or with nothing."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from services.gateway.arrivals import Arrivals
from services.gateway.centrifuge.steps import TurnedDown
from services.gateway.centrifuge.visitors import Visitor, json_of, nobody, told_of
from services.gateway.closecodes import CloseCode
from shared.accounts.hearing import id_of
from shared.accounts.logins import Login, is_outdated, login_of
from shared.accounts.models import User
from shared.presence.clients import account_of
from shared.realtime.exceptions import RealtimeError
from shared.realtime.namespaces import anybody_may_come, namespace_for_clients
from shared.tokens.exceptions import InvalidToken, TokenExpired
from shared.tokens.grants import ConnectionToken, Origin
from shared.tokens.verification import verify_connection

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import AbstractUser

__all__ = ["holder_of", "identify", "token_of"]

logger = logging.getLogger(__name__)

# The first thing that goes wrong for everybody who tries a library.
_NOBODY = "nobody: bring a token, or the session cookie with one of our origins"


def token_of(text: str) -> ConnectionToken:
    """
    Return what a connection token says.

    Raises:
        TokenExpired: its time is over. TurnedDown: it is none.
    """
    try:
        return verify_connection(text, time.time())
    except InvalidToken as error:
        logger.info("A connection token was refused: %s", error.fault)
        raise TurnedDown(CloseCode.INVALID_TOKEN) from error


async def identify(arrivals: Arrivals, token: str, session_key: str | None) -> Visitor:
    """
    Find out who it is: by the token, or else by the session, or else nobody.

    Raises:
        TurnedDown, TokenExpired: nobody whom we know.
        DatabaseAway: accounts cannot be read now.
    """
    if token:
        return await _with_token(arrivals, token_of(token))
    if session_key is not None and (user := await arrivals.user(session_key)) is not None:
        assert isinstance(user, User), "AUTH_USER_MODEL is our own"
        login = login_of(user, Origin(session_key=session_key))
        return Visitor(user, info=told_of(user), login=login)
    if not anybody_may_come():
        raise TurnedDown(CloseCode.BAD_REQUEST, _NOBODY)
    return Visitor(nobody())


async def _with_token(arrivals: Arrivals, token: ConnectionToken) -> Visitor:
    user, login = await holder_of(arrivals, token)
    for channel in token.subs:
        try:
            namespace_for_clients(channel)
        except RealtimeError as error:
            raise TurnedDown(CloseCode.BAD_REQUEST) from error
    # What we have signed ourselves was permitted then, and may not be anymore.
    granted = () if token.issued_here else tuple(token.subs)
    return Visitor(
        user,
        info=told_of(user) if token.info is None else json_of(token.info),
        login=login,
        expire_at=token.expire_at,
        subs=token.subs,
        granted=granted,
    )


async def holder_of(
    arrivals: Arrivals, token: ConnectionToken
) -> tuple[AbstractUser, Login | None]:
    """
    Return whose a token is, and with what it was got, as both are now.

    Another server's token is a permission by itself: it comes with nothing that could end it.

    Raises:
        TokenExpired: with what it was got has ended, or it is older than the password.
        TurnedDown: there is no such account, or it is suspended.
        DatabaseAway: they cannot be read now.
    """
    if not token.user:
        return nobody(), None
    origin = token.origin
    user: AbstractBaseUser | None
    if origin.session_key:
        user = await arrivals.user(origin.session_key)
    elif origin.key is not None:
        user = await arrivals.holder(origin.key)
    else:
        user = await _account(arrivals, token.user)
        if not token.issued_here:
            return user, None
    if not isinstance(user, User) or id_of(user) != token.user or is_outdated(token, user):
        if not (await _account(arrivals, token.user)).is_active:
            raise TurnedDown(CloseCode.BANNED)
        raise TokenExpired
    return user, login_of(user, origin)


async def _account(arrivals: Arrivals, name: str) -> User:
    account = account_of(name)
    user = None if account is None else await arrivals.account(account)
    if user is None:
        raise TurnedDown(CloseCode.INVALID_TOKEN)
    assert isinstance(user, User), "AUTH_USER_MODEL is our own"
    return user
