"""What staff do with saved filters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db import IntegrityError, transaction

from shared.bulk.access import access_filter, access_staff
from shared.bulk.criteria import Criteria
from shared.bulk.exceptions import FilterNameTaken, InvalidRequest
from shared.bulk.models import SavedFilter
from shared.realtime.text import refuse_text

__all__ = ["do_change_filter", "do_delete_filter", "do_save_filter"]

_NAME_CHARACTERS = 100


def do_save_filter(actor: AbstractUser, name: str, criteria: Mapping[str, Any]) -> SavedFilter:
    """
    Save criteria under a name.

    Raises:
        NotStaff: the actor may not.
        InvalidRequest: the field `name` or `audience.<name>` cannot be taken.
        FilterNameTaken: choose another name.
    """
    access_staff(actor)
    return _store(SavedFilter(created_by_id=actor.pk), name, criteria)


def do_change_filter(
    actor: AbstractUser, filter_id: int, name: str, criteria: Mapping[str, Any]
) -> SavedFilter:
    """
    Change a saved filter; jobs that have started keep the criteria they started with.

    Raises:
        NotStaff, UnknownFilter, InvalidRequest, FilterNameTaken: as for `do_save_filter`.
    """
    return _store(access_filter(actor, filter_id), name, criteria)


def do_delete_filter(actor: AbstractUser, filter_id: int) -> None:
    """
    Delete a saved filter; drafts that use it cannot be started any more.

    Raises:
        NotStaff, UnknownFilter: not for this actor, or not there.
    """
    access_filter(actor, filter_id).delete()


def _store(row: SavedFilter, name: str, criteria: Mapping[str, Any]) -> SavedFilter:
    name = " ".join(name.split())
    if words := refuse_text(name, maximum=_NAME_CHARACTERS):
        raise InvalidRequest("name", words)
    row.name, row.criteria = name, Criteria.parse(criteria).as_data()
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise FilterNameTaken from error
    return row
