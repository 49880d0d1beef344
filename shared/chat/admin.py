from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from shared.chat.actions import do_delete_message
from shared.chat.models import ChatRoom, Membership, Message
from shared.realtime import streams
from shared.realtime.admin import SystemWritten

if TYPE_CHECKING:
    from shared.accounts.models import User

    _MembershipInline = admin.TabularInline[Membership, ChatRoom]
    _ChatRoomAdmin = admin.ModelAdmin[ChatRoom]
    _MessageAdmin = admin.ModelAdmin[Message]
else:
    _MembershipInline = admin.TabularInline
    _ChatRoomAdmin = _MessageAdmin = admin.ModelAdmin


class MembershipInline(_MembershipInline):
    model = Membership
    autocomplete_fields = ("user",)
    readonly_fields = ("created_at",)
    extra = 0


@admin.register(ChatRoom)
class ChatRoomAdmin(_ChatRoomAdmin):
    list_display = ("name", "members_only", "created_by", "created_at")
    list_filter = ("members_only",)
    list_select_related = ("created_by",)
    search_fields = ("name", "created_by__username")
    date_hierarchy = "created_at"
    readonly_fields = ("created_by", "created_at")
    inlines = (MembershipInline,)

    def get_readonly_fields(self, request: HttpRequest, obj: ChatRoom | None = None) -> list[str]:
        # The name is the channel's: renaming a room would leave its log behind.
        return [*self.readonly_fields, *(["name"] if obj else [])]

    def save_model(self, request: HttpRequest, obj: ChatRoom, form: Any, change: bool) -> None:
        if not change:
            obj.created_by_id = request.user.pk
        super().save_model(request, obj, form, change)
        # As `do_create_room` does: the room's page needs a position to start from.
        streams.touch(obj.channel)


@admin.register(Message)
class MessageAdmin(SystemWritten, _MessageAdmin):
    """Read-only, but for deleting, which redacts the log and tells the readers."""

    list_display = ("id", "room", "username", "content", "timestamp", "deleted_at")
    list_filter = ("system", ("deleted_at", admin.EmptyFieldListFilter), "room")
    list_select_related = ("room", "user")
    search_fields = ("content", "user__username")
    date_hierarchy = "timestamp"
    actions = ("delete_messages",)

    @admin.action(description="Delete the selected messages for all readers")
    def delete_messages(self, request: HttpRequest, messages: QuerySet[Message]) -> None:
        user = request.user
        if TYPE_CHECKING:
            assert isinstance(user, User)
        for message_id in messages.values_list("pk", flat=True):
            do_delete_message(user, message_id)
        self.message_user(request, "The messages are deleted for all readers.")
