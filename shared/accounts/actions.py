"""
Writes of this app. Pages, the admin, the API and the shell call these, and nothing else writes.

Whoever loses their account loses their connections too: the transaction that says so publishes it
to `revocations:all`, which the gateways hear.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import nullcontext

from django.contrib.auth.models import AbstractUser
from django.contrib.sessions.models import Session
from django.db import IntegrityError, transaction
from django.utils import timezone

from shared.accounts.access import access_staff, check_key, check_moderation, is_active
from shared.accounts.exceptions import CannotFollow, Inactive, InvalidReason, UnknownUser
from shared.accounts.keys import Scope, digest_of, draw_key
from shared.accounts.logins import mark_of
from shared.accounts.models import ApiKey, Follow, User
from shared.accounts.namespaces import REVOCATIONS
from shared.accounts.personal_data import PersonalData, registered
from shared.accounts.queries import find_user
from shared.realtime.actions import do_control
from shared.realtime.controls import Disconnect
from shared.realtime.publish import publish
from shared.realtime.text import refuse_text
from shared.realtime.transactions import retry_on_deadlock
from shared.tokens.grants import Origin

__all__ = [
    "do_ban",
    "do_deactivate",
    "do_delete_user",
    "do_end_old_logins",
    "do_end_session",
    "do_follow",
    "do_make_key",
    "do_reactivate",
    "do_recheck",
    "do_revoke_key",
    "do_unban",
    "do_unfollow",
]

REASON_CHARACTERS = 200
# Close codes: of a connection that is to say again who it is, whose token's key was revoked, whose
# session has ended, and whose user may not be here anymore.
_SAY_AGAIN = 3011
_KEY_REVOKED = 3500
_SIGNED_OUT = 4501
_BANNED = 4503
# So many are told by their ids: more would take longer to tell than everybody takes to look at.
_RECHECKED = 2_000


@retry_on_deadlock
def do_ban(actor: AbstractUser, user: User, reason: str) -> None:
    """
    Ban a user: they cannot sign in, connect or write, and the next sign-in tells the reason.

    Banning again replaces the reason.

    Raises:
        NotStaff, Protected: the actor may not.
        InvalidReason: 1 to 200 characters are taken.
    """
    if words := refuse_text(reason, maximum=REASON_CHARACTERS):
        raise InvalidReason(words)
    with transaction.atomic():
        staff = _lock(actor, user)
        user.is_active, user.banned_at = False, timezone.now()
        user.ban_reason, user.banned_by = reason.strip(), staff
        _save_standing(user)
        _revoke(user, "banned")


@retry_on_deadlock
def do_unban(actor: AbstractUser, user: User) -> None:
    """
    Lift a ban, which reactivates the account; without a ban nothing changes.

    Raises:
        NotStaff, Protected: the actor may not.
    """
    with transaction.atomic():
        _lock(actor, user)
        if user.banned_at is not None:
            _lift(user)


@retry_on_deadlock
def do_deactivate(actor: AbstractUser, user: User) -> None:
    """Deactivate an account without blame; a banned user stays banned. Raises as `do_unban`."""
    with transaction.atomic():
        _lock(actor, user)
        user.is_active = False
        _save_standing(user)
        _revoke(user, "deactivated")


@retry_on_deadlock
def do_reactivate(actor: AbstractUser, user: User) -> None:
    """Make an account active again; a ban ends with it. Raises as `do_unban`."""
    with transaction.atomic():
        _lock(actor, user)
        _lift(user)


@retry_on_deadlock
def do_end_session(user_id: int | str, session_key: str) -> None:
    """
    End a session, and the connections that were opened with it or with a token got with it.

    In one transaction: whoever connects with it after its end was told finds that it is gone.
    """
    with transaction.atomic():
        Session.objects.filter(session_key=session_key).delete()
        mark = mark_of(Origin(session_key=session_key))
        do_control(
            Disconnect(user=str(user_id), session=mark, code=_SIGNED_OUT, reason="signed out")
        )


@retry_on_deadlock
def do_end_old_logins(user: AbstractUser) -> None:
    """
    Have all connections of a user come back, as after a new password.

    Those whose session the password has ended are not let in again.
    """
    do_control(Disconnect(user=str(user.pk), code=_SAY_AGAIN, reason="force reconnect"))


@retry_on_deadlock
def do_recheck(user_ids: Collection[int] | None) -> None:
    """
    End what users hear and may not hear anymore, as after they have lost a permission.

    Their namespaces are asked again (`can_subscribe`), with the accounts as they are after this
    transaction. For whatever decides there and is no permission or group of Django's, which are
    looked after: see `shared.accounts.permissions`.

    Args:
        user_ids: who; None is everybody.
    """
    message: dict[str, object] = {"type": "recheck"}
    if user_ids is not None and len(user_ids) <= _RECHECKED:
        message["users"] = sorted(user_ids)
    publish(REVOCATIONS, message)


def do_delete_user(user: User) -> None:
    """
    Delete a user with all that is theirs, in every app that keeps something about them.

    They are cut off, each app erases its part, then the row goes, with what arrived meanwhile.
    Each step is a transaction, so that no locks are held across apps while there is much to erase.
    What was interrupted is called again.
    """
    _cut_off(user)
    for part in registered():
        _erase(part, user)
    _delete_row(user)


def do_follow(user: AbstractUser, username: str) -> User:
    """
    Let a user hear what another posts; following again changes nothing. Returns the other.

    Raises:
        Inactive: the user's own account is not active at this moment.
        UnknownUser: there is no active user of this name.
        CannotFollow: it is the user's own name.
    """
    followed = _other(user, username)
    if followed.pk == user.pk:
        raise CannotFollow
    try:
        with transaction.atomic():
            Follow.objects.bulk_create(
                [Follow(follower_id=user.pk, followed=followed)], ignore_conflicts=True
            )
    except IntegrityError as error:
        # One of the two was deleted in between.
        raise UnknownUser from error
    return followed


def do_unfollow(user: AbstractUser, username: str) -> User:
    """
    End it; without following nothing changes. Returns the other.

    Raises:
        Inactive, UnknownUser: as `do_follow`.
    """
    followed = _other(user, username)
    Follow.objects.filter(follower=user.pk, followed=followed).delete()
    return followed


def do_make_key(
    actor: AbstractUser,
    user: User,
    name: str,
    scopes: Iterable[str],
    namespaces: Iterable[str] = (),
) -> tuple[ApiKey, str]:
    """
    Make an API key that acts as a user, and return it with its text, which nobody stores.

    Args:
        actor: staff.
        user: in whose name requests with the key are made.
        name: what people call it, 1 to 100 characters.
        scopes: values of `Scope`, at least one.
        namespaces: whose channels the server API's methods reach with it; none means all.

    Raises:
        NotStaff: the actor is not active staff.
        InvalidKey: one of the rest cannot be taken; a superuser's keys are made by superusers.
    """
    wanted, narrowed = set(scopes), sorted(set(namespaces))
    staff = check_key(actor, user, name, wanted, narrowed)
    new = draw_key()
    key = ApiKey.objects.create(
        name=name.strip(),
        prefix=new.prefix,
        digest=digest_of(new.text),
        user=user,
        scopes=[scope.value for scope in Scope if scope in wanted],
        namespaces=narrowed,
        created_by=staff,
    )
    return key, new.text


@retry_on_deadlock
def do_revoke_key(actor: AbstractUser, key: ApiKey) -> None:
    """
    Make a key useless from the next request on; revoking it again changes nothing.

    The connections that were opened with its tokens end.

    Raises:
        NotStaff: the actor is neither active staff nor the key's own active user.
    """
    if not (is_active(actor) and actor.pk == key.user_id):
        access_staff(actor)
    with transaction.atomic():
        valid = ApiKey.objects.filter(pk=key.pk, revoked_at=None)
        if valid.update(revoked_at=timezone.now()):
            user, mark = str(key.user_id), mark_of(Origin(key=key.pk))
            do_control(Disconnect(user=user, session=mark, code=_KEY_REVOKED, reason="key revoked"))
    key.refresh_from_db(fields=["revoked_at"])


def _other(user: AbstractUser, username: str) -> User:
    if not is_active(user):
        raise Inactive
    return find_user(username)


def _lock(actor: AbstractUser, user: User) -> User:
    """Bring a user's object up to date, locked, for an actor who may moderate them."""
    staff = access_staff(actor)
    # Not the key: who is storing a row that refers to the user need not wait.
    found = User.objects.select_for_update(no_key=True).filter(pk=user.pk).first()
    if found is None:
        raise UnknownUser
    check_moderation(staff, found)
    for field in ("is_active", "banned_at", "ban_reason", "banned_by_id"):
        setattr(user, field, getattr(found, field))
    return staff


def _lift(user: User) -> None:
    user.is_active, user.banned_at, user.ban_reason, user.banned_by = True, None, "", None
    _save_standing(user)


def _save_standing(user: User) -> None:
    user.save(update_fields=["is_active", "banned_at", "ban_reason", "banned_by"])


def _revoke(user: User, reason: str) -> None:
    publish(REVOCATIONS, {"type": "revoked", "user": user.pk, "code": _BANNED, "reason": reason})


@retry_on_deadlock
def _cut_off(user: User) -> None:
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(is_active=False)
        _revoke(user, "deleted")


@retry_on_deadlock
def _erase(part: PersonalData, user: User) -> None:
    with nullcontext() if part.in_pieces else transaction.atomic():
        part.erase(user)


@retry_on_deadlock
def _delete_row(user: User) -> None:
    with transaction.atomic():
        # Who was writing as them when they were cut off has a key-share lock on this row, and is
        # waited for; nobody comes after. What they left since the parts were erased goes, too.
        list(User.objects.select_for_update().filter(pk=user.pk))
        for part in registered():
            part.erase(user)
        User.objects.filter(pk=user.pk).delete()
