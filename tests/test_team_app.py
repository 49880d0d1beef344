"""`CARILLON_APPS`: a team's own Django app, tests/team, in every service."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks

from services.gateway.runtime import Gateway
from shared.accounts.models import User
from shared.realtime.history import history
from tests.gateway.conftest import cookie_of, gateway
from tests.gateway.peer import Peer
from tests.processes import ENVIRONMENT, python
from tests.team.tasks import vote_later

__all__ = ["cookie_of", "gateway"]

WITH_TEAM = ENVIRONMENT | {"CARILLON_APPS": "tests.team", "CARILLON_DEMO": "1"}
DECLARED = """
from shared.notifications.kinds import kinds
from shared.realtime.namespaces import names
print(*names(), *(kind.key for kind in kinds()))
"""
OURS = {"announcements", "chat", "post", "user", "chat.mention", "posts.new_post"}
THEIRS = {"poll", "polls.closed", "polls.salutation", "polls.touchy"}


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("settings", "start"),
    [
        ("services.web.settings", "import services.web.wsgi"),
        ("services.gateway.settings", "import services.gateway.asgi"),
        ("services.worker.settings", "import services.worker.celery"),
    ],
)
@pytest.mark.parametrize("with_app", [True, False])
def test_declarations_are_known_in_each_service(settings: str, start: str, with_app: bool) -> None:
    """Each service's real entry point finds the app's namespace and kinds, if the app is named."""
    environment = WITH_TEAM | {"DJANGO_SETTINGS_MODULE": settings}
    if not with_app:
        environment["CARILLON_APPS"] = ""
    ended = python("-c", f"{start}\n{DECLARED}", environment=environment)
    assert ended.returncode == 0, ended.stderr
    declared = set(ended.stdout.split())
    assert declared >= OURS
    assert declared & THEIRS == (THEIRS if with_app else set())


@pytest.mark.thorough
def test_missing_app() -> None:
    """An app that is not there is named in what the operator reads."""
    ended = python(
        "-c", "import services.gateway.asgi", environment=WITH_TEAM | {"CARILLON_APPS": "no.such"}
    )
    assert ended.returncode != 0
    assert "no" in ended.stderr.splitlines()[-1]


@pytest.mark.thorough
def test_worker_finds_its_task() -> None:
    """The worker's own process knows the app's task by its name."""
    ended = python(
        "-c",
        "from services.worker.celery import app; print('team.vote_later' in app.tasks)",
        environment=WITH_TEAM,
    )
    assert ended.stdout.strip() == "True", ended.stderr


@pytest.mark.django_db
def test_task_votes(alice: User) -> None:
    """The task publishes through the same action as everybody."""
    offset = vote_later(alice.pk, "best", "yes")
    [published] = history("poll:best").publications
    assert published.offset == offset == 1
    assert json.loads(published.data) == {"type": "vote", "choice": "yes", "by": "alice"}


@pytest.mark.django_db
def test_page_votes(
    alice: User,
    signed_in: Callable[[User], Client],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    """The web tier serves the app's addresses below its label."""
    with django_capture_on_commit_callbacks(execute=True):
        answer = signed_in(alice).post("/team/best/votes/", {"choice": "yes"})
    assert (answer.status_code, answer.json()) == (201, {"offset": 1})
    assert signed_in(alice).get("/team/best/votes/").status_code == 405
    assert Client().post("/team/best/votes/").status_code == 302


@pytest.mark.django_db(transaction=True)
async def test_gateway_serves_the_namespace(
    gateway: Gateway, alice: User, bob: User, cookie_of: Callable[[User], str]
) -> None:
    """`/ws/poll/<topic>/` carries votes between people with no line in the gateway about polls."""
    async with (
        Peer("/ws/poll/best/", cookie_of(alice)) as hers,
        Peer("/ws/poll/best/", cookie_of(bob)) as his,
        Peer("/ws/poll/other/", cookie_of(bob)) as elsewhere,
    ):
        assert set(his.greeting["positions"]) == {"poll:best", "announcements:all"}
        await hers.send(choice="yes")
        frame = await his.receive()
        assert frame == await hers.receive()
        assert (frame["type"], frame["choice"], frame["by"]) == ("vote", "yes", "alice")
        await his.send(choice="perhaps")
        refused = await his.receive()
        assert (refused["code"], refused["field"]) == (400, "choice")
        assert await elsewhere.hears_nothing()
    since = f"?since={frame['epoch']}.{frame['offset'] - 1}"
    async with Peer(f"/ws/poll/best/{since}", cookie_of(bob)) as back:
        assert await back.receive() == frame


@pytest.mark.django_db(transaction=True)
async def test_task_is_heard(
    gateway: Gateway, alice: User, cookie_of: Callable[[User], str]
) -> None:
    """What a task publishes reaches whoever is connected."""
    async with Peer("/ws/poll/best/", cookie_of(alice)) as peer:
        await gateway.database.run(vote_later, alice.pk, "best", "no")
        assert (await peer.receive())["choice"] == "no"
