"""A permission of Django's, which flushing the database between tests takes away."""

from __future__ import annotations

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType

__all__ = ["view_follow"]


def view_follow() -> Permission:
    """Return the permission `accounts.view_follow`, making it where it is gone."""
    kind, _ = ContentType.objects.get_or_create(app_label="accounts", model="follow")
    permission, _ = Permission.objects.get_or_create(
        content_type=kind, codename="view_follow", defaults={"name": "Can view follow"}
    )
    return permission
