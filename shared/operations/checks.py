"""
Django's system checks of a deployment.

Those that need no server are run by `manage.py check --deploy`. Those that ask servers only where
somebody says so, by `manage.py check --deploy --tag carillon_servers`, because a command that
wants to be quick, or to run before the servers do, must not wait for them: hence Django's tag for
checks of databases, which are left out unless they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, register

from shared.operations import brokers, databases, surroundings
from shared.operations.looking import Looked, look_at_all

__all__ = ["SERVERS", "SETTINGS", "check_here", "check_servers", "server_probes"]

SETTINGS = "carillon"
SERVERS = "carillon_servers"


@register(SETTINGS, deploy=True)
def check_here(**_: Any) -> Sequence[CheckMessage]:
    """Check the settings and this machine."""
    return [*surroundings.check_settings(), *surroundings.check_machine()]


@register(Tags.database, SERVERS, deploy=True)
def check_servers(**_: Any) -> Sequence[CheckMessage]:
    """Check RabbitMQ and the database."""
    seen = look_at_all(server_probes())
    return [finding for looked in seen.values() for finding in looked.findings]


def server_probes() -> Mapping[str, Callable[[], Looked]]:
    """Return by name what looks at the servers."""
    return {"broker": brokers.look, "database": databases.look}
