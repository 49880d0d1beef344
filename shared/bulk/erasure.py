"""What happens to jobs when a user is deleted."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from shared.accounts.models import User
from shared.bulk.audiences import Followers, parse_audience
from shared.bulk.models import BulkJob, Failure
from shared.bulk.states import JobState, Transition, next_state
from shared.realtime.transactions import retry_on_deadlock

__all__ = ["do_forget_user"]


@retry_on_deadlock
def do_forget_user(user: User) -> None:
    """Take out what tells of a user who is being deleted; it asks nobody for leave."""
    with transaction.atomic():
        # Without a digest: made by code, for what this user did.
        theirs = BulkJob.objects.filter(created_by=user, digest="")
        for job in theirs.select_for_update(no_key=True).order_by("id"):
            if not JobState(job.state).is_final:
                job.state = next_state(JobState(job.state), Transition.CANCEL)
                job.finished_at = timezone.now()
            job.lanes, job.context = [], {}
            if isinstance(parse_audience(job.audience, stored=True), Followers):
                job.audience = Followers("", 0).as_data()
            job.save()
        # After the jobs, as a retry does it. The row and its outcome stay: the sums count them.
        Failure.objects.filter(user_id=user.pk).update(reason="")
