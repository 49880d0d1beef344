"""The inbox."""

from __future__ import annotations

from typing import Annotated, Literal

from ninja import Body, Query
from pydantic import Field

from services.web.api.bodies import JSON
from services.web.api.caller import ApiRequest
from services.web.api.errors import InvalidRequest
from services.web.api.fields import Answer, Id, Input, Page, Timestamp
from services.web.api.routes import Routes
from services.web.budgets import Budget
from shared.accounts.keys import Scope
from shared.notifications.actions import (
    CHANGED_AT_ONCE,
    do_archive,
    do_mark_all_read,
    do_mark_read,
    do_mark_seen,
    do_mark_unread,
    do_unarchive,
)
from shared.notifications.models import Notification
from shared.notifications.namespaces import user_channel
from shared.notifications.queries import InboxView, inbox_page, unread_count
from shared.realtime import streams

__all__ = ["routes"]

routes = Routes("notifications")

_CATEGORY = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$", examples=["posts"])]
_WRITE = {
    "scope": Scope.NOTIFICATIONS_WRITE,
    "budget": Budget.NOTIFICATIONS,
}


class InboxPage(Page):
    view: Literal["all", "unread", "archived"] = Field(
        "all", description="all is all but what was archived."
    )
    category: _CATEGORY | None = None


class NotificationData(Answer):
    type: Literal["notification"]
    id: Id
    message: str = Field(description="The title, as the frames of the plain endpoint name it.")
    title: str
    body: str
    url: str = Field(description="A path of this site, a full address, or nothing.")
    kind: str
    category: str
    timestamp: Timestamp
    seen: bool
    read: bool
    archived: bool


class Inbox(Answer):
    notifications: list[NotificationData]
    unread: int = Field(ge=0)
    position: str | None = Field(
        description="From where to listen on the WebSocket; null before the first notification."
    )
    next: Id | None


class Ids(Input):
    ids: Annotated[list[Id], Field(min_length=1, max_length=CHANGED_AT_ONCE)]


class IdsOrAll(Input):
    """Either of the two."""

    ids: Annotated[list[Id], Field(min_length=1, max_length=CHANGED_AT_ONCE)] | None = None
    all: Literal[True] | None = None


class Unread(Answer):
    unread: int = Field(ge=0, description="How many are unread now.")


@routes.get("/notifications", scope=Scope.NOTIFICATIONS_READ, answer=Inbox)
def list_notifications(request: ApiRequest, page: Query[InboxPage]) -> Inbox:
    """List the caller's notifications, the newest first."""
    user = request.user
    # Before the rows: what comes in between is then told twice, not never.
    head = streams.head(user_channel(user.pk))
    rows, following = page.read(
        lambda before, limit: inbox_page(
            user, InboxView(page.view), category=page.category, before=before, limit=limit
        )
    )
    return Inbox(
        notifications=[_told(row) for row in rows],
        unread=unread_count(user),
        position=None if head is None else str(head.position),
        next=following,
    )


@routes.post("/notifications/read", answers={200: Unread}, body=JSON, **_WRITE)
def mark_read(request: ApiRequest, body: Body[IdsOrAll]) -> Unread:
    """Mark some of one's own notifications read, or all."""
    if (body.ids is None) == (body.all is None):
        raise InvalidRequest("ids", 'Send either {"ids": [...]} or {"all": true}.')
    if body.ids is None:
        return Unread(unread=do_mark_all_read(request.user))
    return Unread(unread=do_mark_read(request.user, body.ids))


@routes.post("/notifications/unread", answers={200: Unread}, body=JSON, **_WRITE)
def mark_unread(request: ApiRequest, body: Body[Ids]) -> Unread:
    """Mark some of one's own notifications unread again."""
    return Unread(unread=do_mark_unread(request.user, body.ids))


@routes.post("/notifications/archive", answers={200: Unread}, body=JSON, **_WRITE)
def archive(request: ApiRequest, body: Body[Ids]) -> Unread:
    """Put some of one's own notifications away."""
    return Unread(unread=do_archive(request.user, body.ids))


@routes.post("/notifications/unarchive", answers={200: Unread}, body=JSON, **_WRITE)
def unarchive(request: ApiRequest, body: Body[Ids]) -> Unread:
    """Fetch some of one's own notifications back."""
    return Unread(unread=do_unarchive(request.user, body.ids))


@routes.post("/notifications/seen", answers={200: Unread}, **_WRITE)
def mark_seen(request: ApiRequest) -> Unread:
    """Note that the caller has looked at the inbox; nothing becomes read by it."""
    return Unread(unread=do_mark_seen(request.user))


def _told(row: Notification) -> NotificationData:
    return NotificationData(
        type="notification",
        id=row.pk,
        message=row.title,
        title=row.title,
        body=row.body,
        url=row.url,
        kind=row.kind,
        category=row.category,
        timestamp=row.created,
        seen=row.seen_at is not None,
        read=row.read_at is not None,
        archived=row.archived_at is not None,
    )
