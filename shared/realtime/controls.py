"""
`controls:all`: what servers want done with live connections, told to the gateways alone.

The server API publishes controls (`shared.realtime.actions.do_control`); every gateway hears them
and obeys for the connections that it has. A control is for connections that are there when it is
heard: nobody who connects later meets it, and a gateway that was behind its log catches up.

`encode` and `decode` are pure, and so is `Control.meets`, which says whom a control is about.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

import msgspec

from shared.realtime.namespaces import Namespace, register

__all__ = [
    "CONTROLS",
    "Control",
    "ControlNamespace",
    "Disconnect",
    "Drain",
    "MalformedControl",
    "Override",
    "Refresh",
    "Since",
    "Subscribe",
    "Unsubscribe",
    "check_reason",
    "decode",
    "encode",
]

CONTROLS = "controls:all"
# A close frame has no room for more.
_REASON_BYTES = 123

type _CloseCode = Annotated[int, msgspec.Meta(ge=3000, le=4999)]
type _UnsubscribeCode = Annotated[int, msgspec.Meta(ge=2000, le=2999)]


@register
class ControlNamespace(Namespace):
    """No client hears this channel. It has a log so that a missed bell delays and loses nothing."""

    name = "controls"
    history_size = 10_000
    history_ttl = timedelta(days=1)
    standing = (CONTROLS,)
    for_clients = False


class MalformedControl(ValueError):
    """
    What is no control, or one of a version that is newer than this one.

    Attributes:
        user: whom it is about all the same, as far as that can be read; None if it cannot.
    """

    def __init__(self, fault: str, user: str | None = None) -> None:
        super().__init__(fault)
        self.user = user


class Control(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """
    Something to be done with the connections of a user.

    Attributes:
        user: the user's id as text; "" means the anonymous connections.
        client: only the connection with this id; "" for all of the user's.
        session: only the connection with this session; "" for all of the user's.
    """

    user: str
    client: str = ""
    session: str = ""

    def meets(self, user: str, client: str, session: str = "") -> bool:
        """Say whether it is about the connection with these ids."""
        return user == self.user and self.client in ("", client) and self.session in ("", session)


class Disconnect(Control, frozen=True, kw_only=True, tag="disconnect"):
    """
    End the connections.

    Attributes:
        code: the close code, 3000-4999.
        reason: what the disconnect push and the close frame say; see `check_reason`.
        whitelist: ids of connections that stay.
    """

    code: _CloseCode
    reason: str
    whitelist: Sequence[str] = ()

    def __post_init__(self) -> None:
        check_reason(self.reason)

    def meets(self, user: str, client: str, session: str = "") -> bool:
        """Say whether it is about the connection with these ids, and does not spare it."""
        return super().meets(user, client, session) and client not in self.whitelist


class Drain(Control, frozen=True, kw_only=True, tag="drain"):
    """
    Send all clients of one gateway elsewhere, and end it; what SIGTERM does there.

    Attributes:
        gateway: which process, by its incarnation: its successor is not meant.
    """

    gateway: str
    # No user's id. A gateway of a version that does not know this has nobody come back for it.
    user: str = "-"


class Unsubscribe(Control, frozen=True, kw_only=True, tag="unsubscribe"):
    """
    End the connections' subscription to a channel, if they have one.

    Attributes:
        channel: the channel.
        code: of the unsubscribe push, 2000-2999.
        reason: of the same; see `check_reason`.
    """

    channel: str
    code: _UnsubscribeCode
    reason: str

    def __post_init__(self) -> None:
        check_reason(self.reason)


class Since(msgspec.Struct, frozen=True, kw_only=True):
    """A position to recover from."""

    offset: int = 0
    epoch: str = ""


class Override(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What holds for one subscription instead of its namespace's options; None leaves those."""

    presence: bool | None = None
    join_leave: bool | None = None
    force_push_join_leave: bool | None = None
    force_positioning: bool | None = None
    force_recovery: bool | None = None


class Subscribe(Control, frozen=True, kw_only=True, tag="subscribe"):
    """
    Subscribe the connections to a channel, whatever its namespace says of the user.

    Attributes:
        channel: the channel.
        info: JSON that others see of the subscription (`chan_info`); None is none.
        data: JSON that the subscribe push carries; None is none.
        expire_at: when the subscription ends, Unix seconds; 0 is never.
        recover_since: what the client has already; None sends nothing of the past.
        override: options of this one subscription.
    """

    channel: str
    info: Any = None
    data: Any = None
    expire_at: int = 0
    recover_since: Since | None = None
    override: Override = Override()


class Refresh(Control, frozen=True, kw_only=True, tag="refresh"):
    """
    Change until when the connections may stay.

    Attributes:
        expired: they have expired: close them with 3005.
        expire_at: the new time, Unix seconds; 0 lifts the expiry. Tell them by a refresh push.
        info: JSON that others see of the connection from now on (`conn_info`); None leaves it.
    """

    expired: bool = False
    expire_at: int = 0
    info: Any = None


_decoder = msgspec.json.Decoder(Disconnect | Drain | Unsubscribe | Subscribe | Refresh)


def encode(control: Control) -> dict[str, Any]:
    """Return a control as the data of a publication."""
    encoded: dict[str, Any] = msgspec.to_builtins(control)
    return encoded


def decode(text: str | bytes) -> Control:
    """
    Read a control from a publication's data; what else stands in the object is passed over.

    Raises:
        MalformedControl: an unknown type, or a part that is missing, of another type, or nothing
            that a client may be told.
    """
    try:
        control: Control = _decoder.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MalformedControl(str(error), _user_of(text)) from error
    return control


def check_reason(reason: str) -> None:
    """
    Check the words that go with a code.

    Raises:
        MalformedControl: they are empty, longer than 123 bytes, or JSON, which the JavaScript
            client would take for advice on how to come back.
    """
    if not 0 < len(reason.encode(errors="replace")) <= _REASON_BYTES:
        raise MalformedControl(f"a reason has 1 to {_REASON_BYTES} bytes: {reason:.40}")
    try:
        json.loads(reason)
    except (ValueError, RecursionError):
        return
    raise MalformedControl(f"a reason is not JSON: {reason}")


class _About(msgspec.Struct):
    user: str


def _user_of(text: str | bytes) -> str | None:
    try:
        return msgspec.json.decode(text, type=_About).user
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
