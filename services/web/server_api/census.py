"""`channels` and `info`: where somebody is subscribed, and which gateways there are."""

from __future__ import annotations

from typing import Any

from services.web.server_api.caller import Caller
from services.web.server_api.errors import ServerApiError
from services.web.server_api.globs import InvalidGlob, compile_glob
from services.web.server_api.requests import ChannelsRequest, InfoRequest
from shared.presence import queries
from shared.presence.clients import Condition
from shared.presence.reports import reports_of
from shared.realtime.exceptions import ErrorCode

__all__ = ["channels", "info"]


def channels(caller: Caller, request: ChannelsRequest) -> dict[str, Any]:
    """Return the channels with subscribers that presence knows of, and how many each has."""
    try:
        matches = compile_glob(request.pattern or "*")
    except InvalidGlob as error:
        raise ServerApiError(ErrorCode.BAD_REQUEST, str(error)) from error
    return {
        "channels": {
            channel: {"num_clients": clients}
            for channel, clients in queries.channel_sizes().items()
            if caller.reaches(channel) and matches(channel)
        }
    }


def info(caller: Caller, request: InfoRequest) -> dict[str, Any]:
    """Return the gateways that are there, with those of their connections that presence knows."""
    gateways = queries.gateways()
    told = reports_of([gateway.incarnation for gateway in gateways])
    nodes = [
        {
            "uid": gateway.incarnation,
            "name": gateway.name,
            "num_clients": gateway.num_clients,
            "num_users": gateway.num_users,
            "num_subs": gateway.num_subs,
            "num_channels": gateway.num_channels,
            **_condition(told.get(gateway.incarnation)),
        }
        for gateway in gateways
    ]
    return {"nodes": nodes}


def _condition(condition: Condition | None) -> dict[str, Any]:
    # One that has just started has said nothing yet.
    if condition is None:
        return {}
    return {
        "version": condition.version,
        "uptime": condition.uptime,
        "process": {"cpu": condition.cpu, "rss": condition.rss},
        "metrics": {"interval": condition.interval, "items": dict(condition.items)},
    }
