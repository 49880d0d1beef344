"""Drafts: jobs that are being put together, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import batched
from typing import Any, NamedTuple

from django.contrib.auth.models import AbstractUser
from django.db import IntegrityError, transaction

from shared.bulk.access import access_staff, locked_job
from shared.bulk.audiences import Listed, parse_audience
from shared.bulk.content import check_context, digest_of, offered_kind
from shared.bulk.exceptions import InvalidRequest, KeyConflict, TooManyRecipients, UnknownJob
from shared.bulk.models import BulkJob
from shared.bulk.recipients import list_recipients
from shared.bulk.states import JobState, Transition, next_state

__all__ = [
    "MAX_RECIPIENTS",
    "Added",
    "Created",
    "do_add_recipients",
    "do_create_job",
    "do_edit_draft",
]

MAX_RECIPIENTS = 5_000_000
_BATCH_IDS = 10_000
_UNKNOWN_RETURNED = 100
_KEY_CHARACTERS = 64


class Created(NamedTuple):
    """A job; `repeated` when the same request with the same key had made it before."""

    job: BulkJob
    repeated: bool


class Added(NamedTuple):
    """
    What became of the given ids.

    Attributes:
        added: recipients that the job did not have.
        duplicates: how often one was given that was there already.
        unknown: how many ids are no active user's.
        unknown_ids: the first hundred of those.
        total: the recipients that the job has now.
    """

    added: int
    duplicates: int
    unknown: int
    unknown_ids: list[int]
    total: int


def do_create_job(
    actor: AbstractUser,
    *,
    kind: str,
    context: Mapping[str, Any],
    audience: Mapping[str, Any],
    idempotency_key: str | None = None,
) -> Created:
    """
    Create a job as a draft; nothing is sent before it is started.

    Args:
        actor: staff; progress goes to their channel.
        kind: the key of a kind that is offered; empty where `do_edit_draft` follows.
        context: a text for each of the kind's fields.
        audience: as `shared.bulk.audiences` has it.
        idempotency_key: 1-64 visible ASCII characters; the same request with it again returns
            the same job.

    Raises:
        NotStaff: the actor may not.
        InvalidRequest: a part of it cannot be taken.
        KeyConflict: the actor used the key for another request.
    """
    access_staff(actor)
    if kind or context:
        check_context(offered_kind(kind), context)
    meant = parse_audience(audience)
    meant.pinned()
    _check_key(idempotency_key)
    digest = digest_of(kind, context, meant.as_data())
    earlier = _repeated(actor, idempotency_key, digest)
    if earlier is not None:
        return earlier
    try:
        with transaction.atomic():
            job = BulkJob.objects.create(
                kind=kind,
                context=dict(context),
                audience=meant.as_data(),
                idempotency_key=idempotency_key,
                digest=digest,
                created_by_id=actor.pk,
            )
    except IntegrityError:
        # The same request came twice at the same moment.
        earlier = _repeated(actor, idempotency_key, digest)
        if earlier is None:
            raise
        return earlier
    return Created(job, repeated=False)


def do_edit_draft(
    actor: AbstractUser, job_id: int, *, kind: str, context: Mapping[str, Any]
) -> BulkJob:
    """
    Say anew what a draft sends.

    Args:
        actor: staff, whether or not they made it.
        job_id: the draft.
        kind: the key of a kind that is offered.
        context: a text for each of the kind's fields.

    Raises:
        NotStaff, UnknownJob: not for this actor, or not there.
        WrongState: the job has been started.
        InvalidRequest: a part of it cannot be taken.
    """
    access_staff(actor)
    check_context(offered_kind(kind), context)
    with transaction.atomic():
        job = locked_job(job_id)
        if job is None:
            raise UnknownJob
        next_state(JobState(job.state), Transition.EDIT)
        job.kind, job.context = kind, dict(context)
        job.save(update_fields=["kind", "context"])
    return job


def do_add_recipients(actor: AbstractUser, job: BulkJob | int, ids: Iterable[int]) -> Added:
    """
    Add listed recipients to a draft whose audience is ids.

    The ids are taken as they come, 10,000 in a transaction, and never all held: what was taken
    stays when the iterable raises, and giving it again changes nothing.

    Raises:
        NotStaff, UnknownJob: not for this actor, or not there.
        WrongState: the job has been started.
        InvalidRequest: its audience is not ids.
        TooManyRecipients: more than 5,000,000 given, or in the job; those before stay.
    """
    access_staff(actor)
    job_id = job.pk if isinstance(job, BulkJob) else job
    added = duplicates = unknown = given = 0
    unknown_ids: list[int] = []
    total = _list(job_id, []).total
    for batch in batched(ids, _BATCH_IDS):
        given += len(batch)
        if given > MAX_RECIPIENTS:
            raise TooManyRecipients(MAX_RECIPIENTS)
        part = _list(job_id, batch)
        added, duplicates = added + part.added, duplicates + part.duplicates
        unknown, total = unknown + part.unknown, part.total
        unknown_ids += part.unknown_ids[: _UNKNOWN_RETURNED - len(unknown_ids)]
    return Added(added, duplicates, unknown, unknown_ids, total)


def _list(job_id: int, ids: tuple[int, ...] | list[int]) -> Added:
    with transaction.atomic():
        job = locked_job(job_id)
        if job is None:
            raise UnknownJob
        next_state(JobState(job.state), Transition.ADD)
        if not isinstance(parse_audience(job.audience, stored=True), Listed):
            raise InvalidRequest("audience", "Only a job whose audience is ids takes recipients.")
        found = list_recipients(job.pk, ids)
        job.total += found.added
        if job.total > MAX_RECIPIENTS:
            raise TooManyRecipients(MAX_RECIPIENTS)
        job.unknown += len(found.unknown)
        job.duplicates += found.duplicates
        job.save(update_fields=["total", "unknown", "duplicates"])
    shown = found.unknown[:_UNKNOWN_RETURNED]
    return Added(found.added, found.duplicates, len(found.unknown), shown, job.total)


def _check_key(key: str | None) -> None:
    if key is not None and not (
        1 <= len(key) <= _KEY_CHARACTERS and key.isascii() and key.isprintable()
    ):
        sentence = f"Use 1 to {_KEY_CHARACTERS} visible ASCII characters, such as a UUID."
        raise InvalidRequest("idempotency_key", sentence)


def _repeated(actor: AbstractUser, key: str | None, digest: str) -> Created | None:
    if key is None:
        return None
    job = BulkJob.objects.filter(created_by_id=actor.pk, idempotency_key=key).first()
    if job is None:
        return None
    if job.digest != digest:
        raise KeyConflict
    return Created(job, repeated=True)
