"""Announcements."""

from __future__ import annotations

from typing import Annotated

from ninja import Body
from pydantic import AwareDatetime, Field

from services.web.api.bodies import JSON
from services.web.api.caller import ApiRequest
from services.web.api.fields import Answer, Id, Input, Timestamp
from services.web.api.routes import Routes
from services.web.budgets import Budget
from shared.accounts.keys import Scope
from shared.notifications.actions import do_announce, do_see_announcement
from shared.notifications.models import Announcement
from shared.notifications.queries import announcements_position, unseen_announcements

__all__ = ["routes"]

routes = Routes("announcements")


class NewAnnouncement(Input):
    message: Annotated[
        str, Field(max_length=Announcement.MESSAGE_CHARACTERS, examples=["Back at 14:00."])
    ]
    # Not strict: JSON has no times, only strings of them.
    expires_at: Annotated[AwareDatetime | None, Field(strict=False)] = Field(
        None, description="Until when it is shown to whoever connects, with its time zone."
    )


class AnnouncementData(Answer):
    id: Id
    message: str
    timestamp: Timestamp
    expires_at: Timestamp | None


class AnnouncementList(Answer):
    announcements: list[AnnouncementData] = Field(description="The newest 20, the oldest first.")
    position: str | None = Field(description="From where to listen on the WebSocket.")


@routes.get("/announcements", scope=Scope.ANNOUNCEMENTS_READ, answer=AnnouncementList)
def list_announcements(request: ApiRequest) -> AnnouncementList:
    """List what was announced lately, is not over, and the caller has not seen."""
    # Before the rows: what is announced in between then comes twice, not never.
    position = announcements_position()
    return AnnouncementList(
        announcements=[_told(row) for row in unseen_announcements(request.user)],
        position=None if position is None else str(position),
    )


@routes.post(
    "/announcements",
    scope=Scope.ANNOUNCEMENTS_WRITE,
    answers={201: AnnouncementData},
    budget=Budget.ANNOUNCEMENTS,
    body=JSON,
)
def create_announcement(request: ApiRequest, body: Body[NewAnnouncement]) -> AnnouncementData:
    """Announce something to everybody; only staff may."""
    return _told(do_announce(request.user, body.message, body.expires_at))


@routes.post(
    "/announcements/{int:announcement_id}/seen",
    scope=Scope.NOTIFICATIONS_WRITE,
    answers={204: None},
    budget=Budget.NOTIFICATIONS,
)
def see_announcement(request: ApiRequest, announcement_id: Id) -> None:
    """Note that the caller has seen it; no device of theirs shows it again."""
    do_see_announcement(request.user, announcement_id)


def _told(row: Announcement) -> AnnouncementData:
    return AnnouncementData(
        id=row.pk, message=row.message, timestamp=row.created_at, expires_at=row.expires_at
    )
