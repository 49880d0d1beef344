"""
Django's permissions that are taken away: whoever has lost one is looked at again, everywhere.

The admin's pages, and whatever else uses the ORM's objects, say so by Django's signals; a
`QuerySet.update` or SQL sends none, and calls `shared.accounts.actions.do_recheck` itself. What is
given needs nothing: who may hear more asks for it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db.models.signals import m2m_changed, post_save, pre_delete, pre_save

__all__ = ["watch"]

# Of a user. Not whether the account is active: that has doors of its own, which say more.
_FLAGS = ("is_staff", "is_superuser")
_LOST = "_has_lost_a_flag"


def watch() -> None:
    """Look out from now on; called once, when the apps are there."""
    from shared.accounts.models import User

    for users in (User.groups.through, User.user_permissions.through):
        m2m_changed.connect(_users_lost, sender=users, dispatch_uid=f"accounts.{users.__name__}")
    of_groups = Group.permissions.through
    m2m_changed.connect(_groups_lost, sender=of_groups, dispatch_uid="accounts.group_permissions")
    pre_delete.connect(_group_goes, sender=Group, dispatch_uid="accounts.group_goes")
    pre_delete.connect(_permission_goes, sender=Permission, dispatch_uid="accounts.permission_goes")
    pre_save.connect(_user_changes, sender=User, dispatch_uid="accounts.user_changes")
    post_save.connect(_user_changed, sender=User, dispatch_uid="accounts.user_changed")


def _users_lost(
    instance: Any, action: str, reverse: bool, pk_set: set[int] | None, **_: Any
) -> None:
    if action == "post_remove":
        _recheck(pk_set if reverse else {instance.pk})
    elif action == "post_clear" and not reverse:
        _recheck({instance.pk})
    elif action == "pre_clear" and reverse:
        # Whose it was is not known afterwards.
        _recheck(set(instance.user_set.values_list("pk", flat=True)))


def _groups_lost(
    instance: Any, action: str, reverse: bool, pk_set: set[int] | None, **_: Any
) -> None:
    if action == "post_remove":
        _recheck(_members(pk_set or set() if reverse else {instance.pk}))
    elif action == "post_clear" and not reverse:
        _recheck(_members({instance.pk}))
    elif action == "pre_clear" and reverse:
        _recheck(_members(set(instance.group_set.values_list("pk", flat=True))))


def _group_goes(instance: Group, **_: Any) -> None:
    _recheck(_members({instance.pk}))


def _permission_goes(**_: Any) -> None:
    # As when an app is taken out: whoever had it, from wherever.
    _recheck(None)


def _user_changes(instance: Any, update_fields: Collection[str] | None, **_: Any) -> None:
    if instance.pk is None or (update_fields is not None and not {*_FLAGS} & {*update_fields}):
        return
    before = type(instance).objects.filter(pk=instance.pk).values(*_FLAGS).first()
    lost = [name for name in _FLAGS if before and before[name] and not getattr(instance, name)]
    setattr(instance, _LOST, bool(lost))


def _user_changed(instance: Any, **_: Any) -> None:
    if instance.__dict__.pop(_LOST, False):
        _recheck({instance.pk})


def _members(groups: Collection[int]) -> set[int]:
    from shared.accounts.models import User

    return set(User.objects.filter(groups__in=groups).values_list("pk", flat=True))


def _recheck(user_ids: Collection[int] | None) -> None:
    from shared.accounts.actions import do_recheck

    if user_ids is None or user_ids:
        do_recheck(user_ids)
