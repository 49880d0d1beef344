"""
What a token says: from signed bytes to typed values, or nothing. Pure: no Django, no I/O.

A claim that is null counts as absent, and an unknown one is passed over. `iat` says when a token
was made and decides nothing here: a writer's clock that is a second ahead must shut nobody out.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Annotated, Any, NamedTuple

import msgspec

from shared.tokens.exceptions import Fault, InvalidToken, TokenExpired
from shared.tokens.grants import (
    NO_ORIGIN,
    ConnectionToken,
    Origin,
    Override,
    SubscriptionOptions,
    SubscriptionToken,
)
from shared.tokens.sealing import Sealer, Unsealable
from shared.tokens.signatures import Opened

__all__ = ["MOST_CHANNELS", "Readership", "read_connection", "read_subscription"]

MOST_CHANNELS = 128
_DEPTH = 16

type _Time = (
    Annotated[int, msgspec.Meta(ge=0, le=2**53)] | Annotated[float, msgspec.Meta(ge=0, le=2**53)]
)
type _Name = Annotated[str, msgspec.Meta(max_length=255)]
type _Channel = Annotated[str, msgspec.Meta(pattern=r"\A[!-~]{1,255}\Z")]


class Readership(NamedTuple):
    """Whom a token must be for, and from; "" takes any."""

    audience: str = ""
    issuer: str = ""


class _Switch(msgspec.Struct):
    value: bool = False


class _Override(msgspec.Struct):
    presence: _Switch | None = None
    join_leave: _Switch | None = None
    force_push_join_leave: _Switch | None = None
    force_positioning: _Switch | None = None
    force_recovery: _Switch | None = None


class _Options(msgspec.Struct):
    info: Any = None
    b64info: str | None = None
    data: Any = None
    b64data: str | None = None
    override: _Override | None = None


class _Standard(msgspec.Struct):
    sub: _Name | None = None
    exp: _Time | None = None
    nbf: _Time | None = None
    iat: _Time | None = None
    jti: _Name | None = None
    aud: _Name | list[_Name] | None = None
    iss: _Name | None = None
    expire_at: _Time | None = None


class _Origin(msgspec.Struct):
    session: str | None = None
    key: int | None = None


class _Connection(_Standard):
    info: Any = None
    b64info: str | None = None
    channels: Annotated[list[_Channel], msgspec.Meta(max_length=MOST_CHANNELS)] | None = None
    subs: Annotated[dict[_Channel, _Options], msgspec.Meta(max_length=MOST_CHANNELS)] | None = None
    meta: dict[str, Any] | None = None
    # In our own tokens; of another server's it is one that we do not know.
    origin: Any = None
    # Which makes it another kind of token, whatever its value.
    channel: Any = msgspec.UNSET


class _Subscription(_Standard):
    channel: _Channel | None = None
    client: _Name | None = None


def read_connection(
    opened: Opened, readership: Readership, now: float, sealer: Sealer
) -> ConnectionToken:
    """
    Read the payload of a connection token.

    Raises:
        TokenExpired: its time is over, or has not come.
        InvalidToken: a claim is not what it must be, or it is for others.
    """
    claims = _decode(opened.payload, _Connection)
    _check_readership(claims, readership)
    if claims.channel is not msgspec.UNSET:
        raise InvalidToken(Fault.KIND)
    expire_at = _expiry(claims, now)
    if claims.subs:
        subs = {channel: _options(each) for channel, each in claims.subs.items()}
    else:
        subs = {channel: SubscriptionOptions() for channel in claims.channels or ()}
    return ConnectionToken(
        user=_user(claims),
        expire_at=expire_at,
        info=_value(claims.info, claims.b64info),
        subs=subs,
        meta=_checked(claims.meta or {}),
        issued_here=opened.issued_here,
        issued_at=claims.iat,
        origin=_origin(claims.origin, sealer) if opened.issued_here else NO_ORIGIN,
    )


def read_subscription(opened: Opened, readership: Readership, now: float) -> SubscriptionToken:
    """
    Read the payload of a subscription token.

    Raises:
        TokenExpired: its time is over, or has not come.
        InvalidToken: a claim is not what it must be, or it is for others.
    """
    claims = _decode(opened.payload, _Subscription)
    _check_readership(claims, readership)
    if claims.channel is None:
        raise InvalidToken(Fault.KIND)
    return SubscriptionToken(
        expire_at=_expiry(claims, now),
        user=_user(claims),
        channel=claims.channel,
        client=claims.client or "",
        # They stand among its own claims.
        options=_options(_decode(opened.payload, _Options)),
        issued_here=opened.issued_here,
    )


def _decode[C: msgspec.Struct](payload: bytes, kind: type[C]) -> C:
    try:
        return msgspec.json.decode(payload, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # Without its cause, whose words quote the token.
        raise InvalidToken(Fault.CLAIMS) from None


def _check_readership(claims: _Standard, readership: Readership) -> None:
    audience = [claims.aud] if isinstance(claims.aud, str) else claims.aud or []
    if readership.audience and readership.audience not in audience:
        raise InvalidToken(Fault.AUDIENCE)
    if readership.issuer and readership.issuer != claims.iss:
        raise InvalidToken(Fault.ISSUER)


def _expiry(claims: _Standard, now: float) -> int | None:
    """Return when what the token opens ends, which need not be when the token itself does."""
    if claims.exp is not None and claims.exp <= now:
        raise TokenExpired
    if claims.nbf is not None and now < claims.nbf:
        raise TokenExpired
    if claims.expire_at is None:
        return None if claims.exp is None else int(claims.exp)
    if claims.expire_at == 0:
        return None
    if claims.expire_at <= now:
        raise TokenExpired
    return int(claims.expire_at)


def _user(claims: _Standard) -> str:
    user = claims.sub or ""
    if not user.isprintable():
        raise InvalidToken(Fault.CLAIMS)
    return user


def _origin(claim: Any, sealer: Sealer) -> Origin:
    try:
        found = msgspec.convert(claim or {}, _Origin)
        return Origin(sealer.open(found.session) if found.session else "", found.key)
    except (msgspec.ValidationError, Unsealable):
        raise InvalidToken(Fault.CLAIMS) from None


def _options(claims: _Options) -> SubscriptionOptions:
    switches = msgspec.structs.asdict(claims.override or _Override())
    return SubscriptionOptions(
        info=_value(claims.info, claims.b64info),
        data=_value(claims.data, claims.b64data),
        override=Override(**{name: each and each.value for name, each in switches.items()}),
    )


def _value(value: Any, encoded: str | None) -> Any:
    """Return a JSON value that may have come in base64, as it has to for other protocols."""
    if encoded:
        try:
            value = msgspec.json.decode(b64decode(encoded, validate=True))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise InvalidToken(Fault.CLAIMS) from None
    return _checked(value)


def _checked(value: Any) -> Any:
    """Refuse what cannot be stored or passed on: see `services.gateway.shapes`."""
    level, depth = [value], 0
    while level:
        depth += 1
        below: list[Any] = []
        for each in level:
            match each:
                case str() if "\0" in each:
                    raise InvalidToken(Fault.CLAIMS)
                case dict():
                    below += [*each, *each.values()]
                case list():
                    below += each
        if below and depth > _DEPTH:
            raise InvalidToken(Fault.CLAIMS)
        level = below
    return value
