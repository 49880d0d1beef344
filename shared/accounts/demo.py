"""The demo: four users whose password everybody knows, for `make run` and `make stack` alone."""

from __future__ import annotations

from shared.accounts.models import User

__all__ = ["DEMO_PASSWORD", "STAFF", "USERS", "demo_users_left", "load_users"]

DEMO_PASSWORD = "carillon"  # noqa: S105 - meant to be known; production refuses to start with it
USERS = ("alice", "bob", "carol")
STAFF = "admin"


def load_users() -> list[User]:
    """Create the demo users that are missing and return all of them, the staff user last."""
    found = {user.username: user for user in User.objects.filter(username__in=[*USERS, STAFF])}
    for name in (*USERS, STAFF):
        if name not in found:
            make = User.objects.create_superuser if name == STAFF else User.objects.create_user
            found[name] = make(name, password=DEMO_PASSWORD)
    return [found[name] for name in (*USERS, STAFF)]


def demo_users_left() -> list[str]:
    """Return the names of active users of the demo who still have the demo password."""
    users = User.objects.filter(username__in=[*USERS, STAFF], is_active=True)
    return [user.username for user in users if user.check_password(DEMO_PASSWORD)]
