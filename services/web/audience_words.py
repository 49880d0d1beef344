"""Whom a job or a filter means, in words for staff."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format

from shared.bulk.audiences import Everybody, Followers, Listed, Matching, Saved, parse_audience
from shared.bulk.criteria import Criteria
from shared.bulk.exceptions import InvalidRequest
from shared.bulk.models import BulkJob, SavedFilter

__all__ = ["audience_words", "criteria_words"]

_MOMENTS = {
    "joined_after": "joined since",
    "joined_before": "joined before",
    "last_login_after": "signed in last since",
    "last_login_before": "signed in last before",
}


def audience_words(job: BulkJob) -> str:
    """Say whom a job means."""
    try:
        audience = parse_audience(job.audience, stored=True)
    except InvalidRequest as error:
        # Such as a group that is no more.
        return str(error)
    match audience:
        case Everybody():
            return "everybody"
        case Followers():
            return f"the followers of {audience.username}"
        case Listed():
            return "a list of users"
        case Matching():
            return f"everybody who: {criteria_words(audience.criteria)}"
        case Saved():
            found = SavedFilter.objects.filter(pk=audience.filter_id).first()
            return f"the filter {found.name}" if found else "a filter that was deleted"
    return "people that this page has no words for"


def criteria_words(criteria: Criteria) -> str:
    """Say what users must have in common."""
    return "; ".join(_parts(criteria))


def _parts(criteria: Criteria) -> Iterator[str]:
    for name, value in criteria.as_data().items():
        match name:
            case "staff":
                yield "is staff" if value else "is not staff"
            case "never_signed_in":
                yield "has never signed in" if value else "has signed in before"
            case "language":
                yield f"reads {dict(settings.LANGUAGES).get(value, value)}"
            case "time_zone":
                yield f"lives in {value}"
            case "group":
                yield f"is in the group {value}"
            case _:
                moment = _local(datetime.fromisoformat(value))
                yield f"{_MOMENTS[name]} {date_format(moment, 'j M Y, H:i')}"


def _local(moment: datetime) -> datetime:
    try:
        return timezone.localtime(moment)
    except OverflowError:
        # The first day there is has no other time zones.
        return moment
