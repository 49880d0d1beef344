"""
Errors of this app.

    BulkError
    +-- NotStaff            only staff may work with jobs and filters
    +-- UnknownJob          there is none of this id
    +-- UnknownFilter       there is no saved filter of this id
    +-- FilterNameTaken     another saved filter has this name
    +-- InvalidRequest      a part of what was asked for cannot be taken
    +-- KeyConflict         the idempotency key belongs to another request
    +-- EmptyAudience       nobody would be told
    +-- Unspeakable         the text can be made for nobody
    +-- TooManyRecipients   more ids than one job takes
    +-- NothingToRetry      nobody failed and no chunk is parked
    +-- WrongState          a job cannot go this way from where it is (in `states`)
"""

from __future__ import annotations

__all__ = [
    "BulkError",
    "EmptyAudience",
    "FilterNameTaken",
    "InvalidRequest",
    "KeyConflict",
    "NotStaff",
    "NothingToRetry",
    "TooManyRecipients",
    "UnknownFilter",
    "UnknownJob",
    "Unspeakable",
]


class BulkError(Exception):
    """Base of this app's errors; `str()` is a sentence for the person."""

    sentence = "This did not work."

    def __str__(self) -> str:
        return self.sentence


class NotStaff(BulkError):
    sentence = "Only staff may work with bulk jobs: ask somebody who is."


class UnknownJob(BulkError):
    sentence = "There is no such job: look for it in the list of jobs."


class UnknownFilter(BulkError):
    sentence = "There is no such saved filter: choose another one."


class FilterNameTaken(BulkError):
    sentence = "A filter of this name exists already: choose another name."


class InvalidRequest(BulkError):
    """
    A part of what was asked for cannot be taken.

    Attributes:
        field: the part, as callers name it: `kind`, `context.title`, `audience.username`.
        sentence: what to change.
    """

    def __init__(self, field: str, sentence: str) -> None:
        self.field = field
        self.sentence = sentence


class KeyConflict(BulkError):
    sentence = (
        "This idempotency key was used for another job: send the same request, or a fresh key."
    )


class EmptyAudience(BulkError):
    sentence = "Nobody would be told: choose another audience, or add recipients first."


class Unspeakable(BulkError):
    """
    The text can be made for nobody: every recipient would fail.

    Attributes:
        reason: why, as a sentence.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"Nobody could be told this: {self.reason} "
            "Write it anew on the job's page, or make another job."
        )


class TooManyRecipients(BulkError):
    """
    More ids than one job takes.

    Attributes:
        maximum: how many it takes.
    """

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum

    def __str__(self) -> str:
        return f"A job takes at most {self.maximum:,} ids: make a second one for the rest."


class NothingToRetry(BulkError):
    sentence = "Nothing of this job failed: there is nothing to retry."
