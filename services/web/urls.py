"""The web tier's addresses."""

from __future__ import annotations

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.urls import URLResolver, include, path, register_converter
from django.utils.module_loading import module_has_submodule
from django.views.generic import RedirectView

from services.web.converters import RoomNameConverter, UsernameConverter
from services.web.mirror import mirror
from services.web.pages import (
    accounts,
    announcements,
    bulk_job,
    bulk_jobs,
    feed,
    inbox,
    members,
    post,
    preferences,
    profile,
    room,
    rooms,
    saved_filters,
    sessions,
    system_messages,
)
from shared.operations.mirrors import ADDRESS

register_converter(RoomNameConverter, "room_name")
register_converter(UsernameConverter, "username")


def _team_addresses() -> list[URLResolver]:
    """A team's app that has a `urls` module answers below its label, such as `/polls/`."""
    return [
        path(f"{app.label}/", include(f"{app.name}.urls"))
        for app in apps.get_app_configs()
        if any(
            entry == app.name or entry.startswith(f"{app.name}.")
            for entry in settings.CARILLON_APPS
        )
        and app.module is not None
        and module_has_submodule(app.module, "urls")
    ]


urlpatterns = [
    path("", RedirectView.as_view(pattern_name="rooms"), name="home"),
    path("rooms/", rooms.room_list, name="rooms"),
    path("rooms/<room_name:name>/", room.room, name="room"),
    path("rooms/<room_name:name>/members/", members.members, name="members"),
    path("feed/", feed.feed, name="feed"),
    path("posts/<int:post_id>/", post.post, name="post"),
    path("people/<username:username>/", profile.profile, name="profile"),
    path("inbox/", inbox.inbox, name="inbox"),
    path("inbox/<int:notification_id>/", inbox.notification, name="notification"),
    path("accounts/login/", sessions.SignIn.as_view(), name="sign-in"),
    path("accounts/logout/", sessions.SignOut.as_view(), name="sign-out"),
    path("accounts/signup/", accounts.sign_up, name="sign-up"),
    path("accounts/settings/", accounts.account_settings, name="account-settings"),
    path("accounts/notifications/", preferences.preferences, name="preferences"),
    path("accounts/data/", accounts.account_data, name="account-data"),
    path("accounts/delete/", accounts.delete_account, name="delete-account"),
    path(
        "announcements/<int:announcement_id>/seen/",
        announcements.announcement_seen,
        name="announcement-seen",
    ),
    path("staff/announce/", announcements.announce, name="announce"),
    path("staff/system-message/", system_messages.system_message, name="system-message"),
    path("staff/bulk/", bulk_jobs.bulk_jobs, name="bulk-jobs"),
    path("staff/bulk/<int:job_id>/", bulk_job.bulk_job, name="bulk-job"),
    path("staff/filters/", saved_filters.saved_filters, name="saved-filters"),
    path("api/v1/", include("services.web.api.urls")),
    path("api/", include("services.web.server_api.urls")),
    path("admin/", admin.site.urls),
    path(ADDRESS, mirror, name="mirror"),
    *_team_addresses(),
]

handler400 = "services.web.pages.errors.bad_request"
handler403 = "services.web.pages.errors.forbidden"
handler404 = "services.web.pages.errors.not_found"
handler500 = "services.web.pages.errors.server_error"
