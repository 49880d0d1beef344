"""The API's addresses below /api/v1/."""

from __future__ import annotations

from django.urls import path

from services.web.api import announcements, messages, session

urlpatterns = [
    path("session", session.session, name="api-session"),
    path("announcements", announcements.announcements, name="api-announcements"),
    path("rooms/<room_name:name>/messages", messages.messages, name="api-messages"),
    path("rooms/<room_name:name>/messages/<int:message_id>", messages.message, name="api-message"),
]
