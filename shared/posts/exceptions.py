"""
Errors of this app. Beside these, whoever acts may be `shared.accounts.exceptions.Inactive`.

    PostsError
    +-- NotAllowed        it is somebody else's
    +-- UnknownPost       there is none, or it was deleted
    +-- UnknownComment    there is none, or it was deleted
    +-- InvalidContent    a text that cannot be taken
"""

from __future__ import annotations

__all__ = [
    "InvalidContent",
    "NotAllowed",
    "PostsError",
    "UnknownComment",
    "UnknownPost",
]


class PostsError(Exception):
    """Base of this app's errors; `str()` is a sentence for the person."""

    sentence = "This did not work."

    def __str__(self) -> str:
        return self.sentence


class NotAllowed(PostsError):
    sentence = "This is somebody else's: only its author and staff may delete it."


class UnknownPost(PostsError):
    sentence = "There is no such post. It may have been deleted: go back to the feed."


class UnknownComment(PostsError):
    sentence = "There is no such comment. It may have been deleted: reload the post."


class InvalidContent(PostsError):
    """
    A text that cannot be taken.

    Attributes:
        field: the field at fault: `title` or `body`.
        sentence: what to change.
    """

    def __init__(self, field: str, sentence: str) -> None:
        self.field = field
        self.sentence = sentence
