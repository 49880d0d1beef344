"""
Allowance: how many connections a user may have, so that none takes everybody else's place.

What a gateway has itself it knows exactly: one too many is refused for good (3504), and the others
stay. What others have it knows from presence, where each client is shown in its user's own channel
for as long as it is connected, also where it hears that channel no longer: that is a second old,
and a gateway that was killed stands there for half a minute, while its clients are coming here. So
over all gateways there may be twice as many, the dead ones with the living, and who has more is
told to come again in a moment. Half of what a gateway allows is let in whatever the others have:
where gateways die one after the other, the dead ones of half a minute are many more than twice.

Who is nobody is not counted: an address is what they have in common, and that is nginx's to bound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from services.gateway.presence import Presence
from services.gateway.revocations import Revocations
from shared.notifications.namespaces import user_channel

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

__all__ = ["counted_in", "has_room", "has_room_here"]

_DEAD_AND_LIVING = 2


def counted_in(user: AbstractUser) -> str:
    """Return the channel in whose presence a user's connections are counted; "" for nobody's."""
    return "" if user.is_anonymous else user_channel(user.pk)


def has_room_here(revocations: Revocations, user_id: int) -> bool:
    """Say whether a user may have one more connection at this gateway."""
    most = settings.CARILLON_GATEWAY_USER_CONNECTIONS
    return not most or revocations.count(user_id) < most


async def has_room(presence: Presence, revocations: Revocations, user_id: int) -> bool:
    """
    Say whether a user who has been counted here has few enough over all gateways.

    The first half of those here asks nobody. After an outage everybody comes at once, and a user's
    part of a gateway stays small.

    Raises:
        DatabaseAway: the others' cannot be read now.
    """
    most = settings.CARILLON_GATEWAY_USER_CONNECTIONS
    if not most or revocations.count(user_id) <= max(1, most // 2):
        return True
    # Without this one, which is not shown yet.
    return (await presence.stats(user_channel(user_id))).num_clients < _DEAD_AND_LIVING * most
