"""
Errors of this app.

    AccountsError
    +-- NotStaff        only active staff may do this
    +-- Inactive        the account of who acts is deactivated, banned or gone
    +-- Protected       staff may do this, but not to this user
    +-- InvalidReason   a ban's reason that cannot be taken
    +-- UnknownUser     there is none of this name, or not an active one
    +-- CannotFollow    nobody follows themselves
    +-- InvalidKey      an API key that cannot be made
"""

from __future__ import annotations

__all__ = [
    "AccountsError",
    "CannotFollow",
    "Inactive",
    "InvalidKey",
    "InvalidReason",
    "NotStaff",
    "Protected",
    "UnknownUser",
]


class AccountsError(Exception):
    """Base of this app's errors; `str()` is a sentence for the person."""

    sentence = "This did not work."

    def __str__(self) -> str:
        return self.sentence


class NotStaff(AccountsError):
    sentence = "Only staff may do this: ask somebody of the staff."


class Inactive(AccountsError):
    sentence = "Your account is not active: ask the staff to reactivate it."


class Protected(AccountsError):
    """
    Staff may do this to others, but not to this user.

    Attributes:
        sentence: why, and who may.
    """

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence


class InvalidReason(AccountsError):
    """
    A ban's reason that cannot be taken.

    Attributes:
        sentence: what to change.
    """

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence


class UnknownUser(AccountsError):
    sentence = "There is no user of this name."


class CannotFollow(AccountsError):
    sentence = "Nobody follows themselves: choose somebody else."


class InvalidKey(AccountsError):
    """
    An API key that cannot be made.

    Attributes:
        field: the part at fault: name, user or scopes.
        sentence: what to change.
    """

    def __init__(self, field: str, sentence: str) -> None:
        self.field = field
        self.sentence = sentence
