"""Tokens for clients of the realtime protocol, which open connections with them."""

from __future__ import annotations

from typing import Annotated

from django.conf import settings
from django.http import HttpRequest
from ninja import Body
from pydantic import Field

from services.web.api.bodies import JSON, BodyRule
from services.web.api.caller import ApiRequest
from services.web.api.errors import ApiError, InvalidRequest
from services.web.api.fields import Answer, Input
from services.web.api.routes import Routes
from services.web.budgets import Budget
from shared.accounts.hearing import may_hear
from shared.accounts.keys import Scope
from shared.accounts.models import User
from shared.realtime.exceptions import InvalidChannel, UnknownNamespace
from shared.telemetry import metrics
from shared.tokens.grants import Origin
from shared.tokens.signing import sign_connection, sign_subscription

__all__ = ["routes"]

routes = Routes("realtime")


class _MaybeJson(BodyRule):
    """JSON or nothing: a client without a wish sends no body, and no type with it."""

    def check_type(self, request: HttpRequest) -> None:
        if request.headers.get("Content-Length") not in {None, "", "0"}:
            super().check_type(request)


class TokenWish(Input):
    channel: Annotated[
        str | None,
        Field(
            max_length=255,
            examples=["poll:lunch"],
            description="For a token to subscribe with; without it one to connect with.",
        ),
    ] = None


class TokenData(Answer):
    token: str


@routes.post(
    "/realtime/token",
    scope=Scope.REALTIME_TOKEN,
    answers={200: TokenData},
    budget=Budget.TOKENS,
    body=_MaybeJson(JSON.types),
)
def make_realtime_token(request: ApiRequest, body: Body[TokenWish | None] = None) -> TokenData:
    """
    Make a token to connect with, or to subscribe to a channel with.

    It is the caller's own, of the session's user or of the key's. What an SDK gives to its
    `getToken` may be sent as the body.
    """
    channel = None if body is None else body.channel
    lifetime = settings.CARILLON_TOKEN_LIFETIME_SECONDS
    if channel is None:
        token = sign_connection(request.user.pk, lifetime, origin=_origin(request))
    else:
        _check_subscribe(request.user, channel)
        token = sign_subscription(request.user.pk, channel, lifetime)
    metrics.TOKENS_ISSUED.labels(result="issued").inc()
    return TokenData(token=token)


def _origin(request: ApiRequest) -> Origin:
    """Say what a token was got with: when that ends, so does the token, and its connection."""
    key = request.auth.key
    if key is not None:
        return Origin(key=key.pk)
    return Origin(session_key=request.session.session_key or "")


def _check_subscribe(user: User, channel: str) -> None:
    try:
        is_allowed = may_hear(user, channel)
    except InvalidChannel:
        words = "This is no channel's name: write one such as poll:lunch, in ASCII."
        raise InvalidRequest("channel", words) from None
    except UnknownNamespace:
        # As one that is not for them: which of both it is, is not told.
        raise _not_for_you() from None
    if not is_allowed:
        raise _not_for_you()


def _not_for_you() -> ApiError:
    metrics.TOKENS_ISSUED.labels(result="refused").inc()
    return ApiError(403, "forbidden", "You may not hear this channel: ask its owner to let you in.")
