"""`revocations:all`: whose connections end, told by the servers to the gateways alone."""

from __future__ import annotations

from datetime import timedelta

from shared.realtime.namespaces import Namespace, register

__all__ = ["REVOCATIONS", "RevocationNamespace"]

REVOCATIONS = "revocations:all"


@register
class RevocationNamespace(Namespace):
    """
    No client hears this channel. It has a log so that a gateway that missed a bell finds out.

    A publication is written in the transaction that bans, deactivates or deletes a user:
    `{"type": "revoked", "user": <id>, "code": 4503, "reason": "banned"}`. One that may have taken
    a permission away writes `{"type": "recheck", "users": [<id>, ..]}`; without users, everybody's.
    """

    name = "revocations"
    for_clients = False
    # Far more than a gateway can be behind and still have connections.
    history_size = 10_000
    history_ttl = timedelta(days=1)
    standing = (REVOCATIONS,)
