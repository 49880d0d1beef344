from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from shared.accounts.models import Follow, User
from shared.bulk.actions import do_start_job
from shared.bulk.audiences import Listed, parse_audience
from shared.bulk.exceptions import BulkError, InvalidRequest, NotStaff
from shared.bulk.filters import do_change_filter, do_delete_filter, do_save_filter
from shared.bulk.lanes import drain
from shared.bulk.models import BulkJob
from shared.bulk.queries import count_audience
from tests.shared.bulk.conftest import MakeJob, MakePeople

pytestmark = pytest.mark.django_db


def names(audience: dict[str, Any]) -> set[str]:
    ids = parse_audience(audience).page(None, 0, 100)
    assert ids == sorted(ids)
    assert count_audience(audience) == len(ids)
    return set(User.objects.filter(pk__in=ids).values_list("username", flat=True))


def test_all_are_the_active_ones(alice: User, bob: User) -> None:
    """Who is deactivated is not meant."""
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert names({"type": "all"}) == {"alice"}


def test_followers(alice: User, bob: User, carol: User) -> None:
    """Who follows a user is meant, not the user."""
    Follow.objects.create(follower=bob, followed=alice)
    Follow.objects.create(follower=alice, followed=carol)
    assert names({"type": "followers", "username": "alice"}) == {"bob"}
    with pytest.raises(InvalidRequest) as refused:
        names({"type": "followers", "username": "nobody"})
    assert refused.value.field == "audience.username"


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ({"staff": True}, {"root"}),
        ({"staff": False, "language": "en"}, {"alice", "bob", "carol"}),
        ({"time_zone": "Europe/Berlin"}, {"bob"}),
        ({"joined_before": "2020-01-02"}, {"alice"}),
        ({"joined_after": "2020-01-02", "staff": False}, {"bob", "carol"}),
        ({"never_signed_in": True, "staff": False}, {"alice", "carol"}),
        ({"never_signed_in": False}, {"bob"}),
        ({"last_login_after": "2021-01-01T00:00:00Z"}, {"bob"}),
        ({"last_login_before": "2021-01-01T00:00:00+01:00"}, set()),
        ({"group": "pilots"}, {"carol"}),
    ],
)
def test_criteria(
    alice: User, bob: User, carol: User, staff: User, criteria: dict[str, Any], expected: set[str]
) -> None:
    """Each criterion asks what it says; several are all asked."""
    User.objects.filter(pk=alice.pk).update(date_joined=datetime(2020, 1, 1, tzinfo=UTC))
    User.objects.filter(pk=bob.pk).update(
        time_zone="Europe/Berlin", last_login=datetime(2021, 1, 1, tzinfo=UTC)
    )
    carol.groups.add(Group.objects.create(name="pilots"))
    assert names({"type": "criteria", **criteria}) == expected


@pytest.mark.parametrize(
    ("audience", "field"),
    [
        ({}, "audience"),
        ({"type": "everybody"}, "audience"),
        ({"type": "all", "staff": True}, "audience"),
        ({"type": "filter", "filter": "1"}, "audience"),
        ({"type": "filter", "filter": 2**63}, "audience"),
        ({"type": "followers", "username": "alice", "user": 3}, "audience"),
        ({"type": "criteria"}, "audience"),
        ({"type": "criteria", "age": 3}, "audience.age"),
        ({"type": "criteria", "staff": 1}, "audience.staff"),
        ({"type": "criteria", "language": "xx"}, "audience.language"),
        ({"type": "criteria", "time_zone": "Mars/Olympus"}, "audience.time_zone"),
        ({"type": "criteria", "joined_after": "soon"}, "audience.joined_after"),
        ({"type": "criteria", "joined_after": 20200101}, "audience.joined_after"),
        ({"type": "criteria", "group": "a\0b"}, "audience.group"),
        ({"type": "ids"}, "audience"),
    ],
)
def test_what_makes_no_sense(audience: dict[str, Any], field: str) -> None:
    """It is refused with the field's name, before anything is asked of the users."""
    with pytest.raises(InvalidRequest) as refused:
        count_audience(audience)
    assert refused.value.field == field
    assert str(refused.value)


def test_saved_filter_is_the_same_for_the_whole_job(
    staff: User, alice: User, draft: MakeJob
) -> None:
    """What a filter asks is looked up when the job starts; later changes are for later jobs."""
    saved = do_save_filter(staff, " The  staff ", {"staff": True})
    assert saved.name == "The staff"
    audience = {"type": "filter", "filter": saved.pk}
    assert names(audience) == {"root"}
    job = do_start_job(staff, draft(audience=audience).pk)
    do_change_filter(staff, saved.pk, "Nobody", {"staff": False})
    drain(job.pk)
    assert BulkJob.objects.get().total == 1
    do_delete_filter(staff, saved.pk)
    with pytest.raises(InvalidRequest, match="no such saved filter") as refused:
        names(audience)
    assert refused.value.field == "audience.filter"


@pytest.mark.parametrize("audience", ["criteria", "filter"])
def test_group_that_goes_while_a_job_is_planned(
    staff: User, carol: User, draft: MakeJob, audience: str
) -> None:
    """Nobody is in it any more: the job ends, and whoever starts another is told why."""
    pilots = Group.objects.create(name="pilots")
    carol.groups.add(pilots)
    meant: dict[str, Any] = {"type": "criteria", "group": "pilots", "joined_after": "2020-01-01"}
    if audience == "filter":
        saved = do_save_filter(staff, "Pilots", {"group": "pilots"})
        meant = {"type": "filter", "filter": saved.pk}
    started, later = (draft(audience=meant) for _ in range(2))
    do_start_job(staff, started.pk)
    pilots.delete()
    drain(started.pk)
    started.refresh_from_db()
    assert (started.state, started.total) == ("finished", 0)
    with pytest.raises(InvalidRequest, match="no such group"):
        do_start_job(staff, later.pk)


def test_filters_are_for_staff(alice: User) -> None:
    """Nobody else saves one."""
    with pytest.raises(NotStaff):
        do_save_filter(alice, "mine", {"staff": True})


@pytest.mark.parametrize(
    ("name", "criteria"), [(" ", {"staff": True}), ("x" * 101, {"staff": True}), ("x", {})]
)
def test_filter_that_cannot_be_saved(staff: User, name: str, criteria: dict[str, Any]) -> None:
    """A name is needed, and a criterion."""
    with pytest.raises(InvalidRequest):
        do_save_filter(staff, name, criteria)


def test_filter_names_are_taken_once(staff: User) -> None:
    """A second one of the same name is refused."""
    do_save_filter(staff, "x", {"staff": True})
    with pytest.raises(BulkError, match="exists already"):
        do_save_filter(staff, "x", {"staff": False})


def test_pages_end(people: MakePeople) -> None:
    """A page begins after the last and is never longer than asked."""
    users = people(5, date_joined=timezone.now() - timedelta(days=1))
    everybody = parse_audience({"type": "all"})
    first = everybody.page(None, 0, 3)
    assert first + everybody.page(None, first[-1], 3) == [user.pk for user in users]
    assert Listed().page(None, 0, 3) == []
