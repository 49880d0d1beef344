"""The methods: what each takes, who carries it out, and what becomes of what goes wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from django.db import InterfaceError, OperationalError

from services.web.server_api import requests
from services.web.server_api.caller import Caller
from services.web.server_api.census import channels, info
from services.web.server_api.errors import ServerApiError
from services.web.server_api.publishing import broadcast, publish
from services.web.server_api.reading import history, history_remove, presence, presence_stats
from services.web.server_api.rpc import rpc
from services.web.server_api.steering import disconnect, refresh, subscribe, unsubscribe
from shared.realtime.exceptions import (
    ErrorCode,
    InvalidChannel,
    InvalidData,
    Refused,
    UnknownNamespace,
    UnrecoverablePosition,
)

__all__ = ["METHODS", "UNAVAILABLE", "Method", "carry_out"]

logger = logging.getLogger(__name__)


class Method(NamedTuple):
    """
    Attributes:
        request: what it takes.
        action: what carries it out and returns the result.
        is_read: whether it writes nothing and answers with however much there is, so that it is
            refused where the request has no room for that.
    """

    request: type[msgspec.Struct]
    action: Callable[[Caller, Any], dict[str, Any]]
    is_read: bool = False


# In the order in which a batch looks for a command's method.
METHODS: dict[str, Method] = {
    "publish": Method(requests.PublishRequest, publish),
    "broadcast": Method(requests.Broadcast, broadcast),
    "subscribe": Method(requests.SubscribeRequest, subscribe),
    "unsubscribe": Method(requests.UnsubscribeRequest, unsubscribe),
    "disconnect": Method(requests.DisconnectRequest, disconnect),
    "history": Method(requests.HistoryRequest, history, is_read=True),
    "history_remove": Method(requests.ChannelRequest, history_remove),
    "presence": Method(requests.ChannelRequest, presence, is_read=True),
    "presence_stats": Method(requests.ChannelRequest, presence_stats),
    "info": Method(requests.InfoRequest, info, is_read=True),
    "rpc": Method(requests.RpcRequest, rpc),
    "refresh": Method(requests.RefreshRequest, refresh),
    "channels": Method(requests.ChannelsRequest, channels, is_read=True),
}

# Of the reference server, and not of this one: error 108, so that a caller can tell this from a
# name that nobody knows.
UNAVAILABLE = frozenset(
    {
        "block_user",
        "cancel_push",
        "connections",
        "delete_user_status",
        "device_list",
        "device_register",
        "device_remove",
        "device_topic_list",
        "device_topic_update",
        "device_update",
        "get_user_status",
        "invalidate_user_tokens",
        "map_clear",
        "map_publish",
        "map_read_state",
        "map_read_stream",
        "map_remove",
        "map_stats",
        "revoke_token",
        "send_push_notification",
        "shared_poll_publish",
        "unblock_user",
        "update_push_status",
        "update_user_status",
        "user_topic_list",
        "user_topic_update",
    }
)


def carry_out(caller: Caller, name: str, request: msgspec.Struct | None) -> msgspec.Raw:
    """
    Carry one method out and return its result, encoded, because its size counts.

    Args:
        caller: who asks.
        name: one of `METHODS` or `UNAVAILABLE`; anything else is not found.
        request: what the method takes; None for what cannot be carried out.

    Raises:
        ServerApiError: whatever went wrong; what nobody foresaw is logged and becomes 100.
    """
    if name not in METHODS:
        known = name in UNAVAILABLE
        raise ServerApiError(ErrorCode.NOT_AVAILABLE if known else ErrorCode.METHOD_NOT_FOUND)
    caller.check_method(name)
    method = METHODS[name]
    try:
        if method.is_read:
            caller.check_room()
        result = msgspec.json.encode(method.action(caller, request))
        if method.is_read:
            caller.check_room(len(result))
    except ServerApiError:
        raise
    except (InvalidChannel, InvalidData) as error:
        raise ServerApiError(ErrorCode.BAD_REQUEST, str(error)) from error
    except UnknownNamespace as error:
        raise ServerApiError(ErrorCode.UNKNOWN_CHANNEL) from error
    except UnrecoverablePosition as error:
        raise ServerApiError(ErrorCode.UNRECOVERABLE_POSITION) from error
    except Refused as error:
        raise ServerApiError(error.code, error.message) from error
    except (OperationalError, InterfaceError) as error:
        logger.warning("%s: the database failed: %s", name, str(error).strip())
        raise ServerApiError(ErrorCode.INTERNAL) from error
    except Exception as error:
        # In a batch, the others' results must not be lost with this one.
        logger.exception("%s failed.", name)
        raise ServerApiError(ErrorCode.INTERNAL) from error
    caller.answer(len(result))
    return msgspec.Raw(result)
