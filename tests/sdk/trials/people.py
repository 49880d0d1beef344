"""People who are signed in already, as many as trials use up."""

from __future__ import annotations

import itertools
import json
import time

import httpx

from tests.client import Session
from tests.servers import RunningStack

__all__ = ["Person", "make_people", "manage"]

_numbers = itertools.count(time.time_ns())

# Signing in by the form would take a slow password hash for each.
MAKE = """
import json
from shared.accounts.models import User
from tests.load.people import sign_in
made = User.objects.bulk_create([User(username=f"{prefix}-{{n}}") for n in range({count})])
cookies = sign_in([user.pk for user in made])
print(json.dumps([(u.pk, u.username, cookie) for u, cookie in zip(made, cookies)]))
"""


class Person(Session):
    """
    Somebody with a session.

    Attributes:
        id: the account's.
        username: its name.
    """

    def __init__(self, url: str, user_id: int, username: str, cookie: str) -> None:
        self.url = url
        self.id = user_id
        self.username = username
        name, _, value = cookie.partition("=")
        self.http = httpx.Client(base_url=url, follow_redirects=True, timeout=15)
        self.http.cookies.set(name, value, domain="127.0.0.1")


def manage(stack: RunningStack, code: str) -> str:
    """Run code as the web tier has it; return what it prints."""
    return stack.manage("shell", "--verbosity", "0", "--command", code)


def make_people(stack: RunningStack, count: int) -> list[Person]:
    """Make accounts with a session each."""
    code = MAKE.format(prefix=f"trial-{next(_numbers)}", count=count)
    return [Person(stack.url, *each) for each in json.loads(manage(stack, code))]
