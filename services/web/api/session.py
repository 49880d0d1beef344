"""Who is asking: what a page whose WebSocket was refused finds out with."""

from __future__ import annotations

from services.web.api.caller import ApiRequest
from services.web.api.fields import Answer, Id
from services.web.api.routes import Routes

__all__ = ["routes"]

routes = Routes("session")


class SessionUser(Answer):
    id: Id
    username: str
    staff: bool


class Session(Answer):
    user: SessionUser


@routes.get("/session", scope=None, answer=Session)
def read_session(request: ApiRequest) -> Session:
    """Say who is asking: the user of the session, or the one whose key it is."""
    user = request.user
    return Session(user=SessionUser(id=user.pk, username=user.username, staff=user.is_staff))
