"""
The API against its own description: whatever is sent, nothing fails and every answer is described.

Requests are generated from `openapi.json`, valid ones and broken ones, the same in every run, and
sent to the WSGI application with real rows behind it: as a user, as staff, and with a key.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from pytest_django import Settings as DjangoSettings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from shared.accounts.models import ApiKey, User
from shared.bulk.actions import do_create_job
from shared.bulk.filters import do_save_filter
from shared.chat.actions import do_send_message
from shared.chat.models import ChatRoom
from shared.notifications.actions import do_announce
from shared.notifications.notify import notify
from shared.notifications.staff_kinds import StaffMessage
from shared.posts.actions import do_comment, do_create_post

pytestmark = pytest.mark.thorough

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
EXAMPLES = 4
COMMITTED = Path(__file__).parents[3] / "docs" / "openapi.json"


@cache
def description() -> Any:
    # As it is committed, which test_description.py compares with the running application's.
    schema = schemathesis.openapi.from_dict(json.loads(COMMITTED.read_text()))
    schema.app = get_wsgi_application()
    # Who asks is what the fixture says, and no invention.
    schema.config.generation.update(with_security_parameters=False)
    return schema


def operations() -> list[str]:
    return [each.ok().label for each in description().get_all_operations()]


@pytest.fixture
def rows(alice: User, bob: User, staff: User, lobby: ChatRoom) -> dict[str, Any]:
    """One of everything, by the names that paths have for it."""
    message = do_send_message(alice, "lobby", "hello").message
    post = do_create_post(alice, "Lunch", "on Friday")
    comment = do_comment(bob, post.pk, "Count me in.")
    notify(alice, StaffMessage, title="Hello", body="", url="")
    context = {"title": "Hello", "body": "", "url": ""}
    created = do_create_job(staff, kind=StaffMessage.key, context=context, audience={"type": "all"})
    return {
        "name": "lobby",
        "username": "bob",
        "message_id": message.pk,
        "post_id": post.pk,
        "comment_id": comment.pk,
        "announcement_id": do_announce(staff, "Back soon.").pk,
        "job_id": created.job.pk,
        "filter_id": do_save_filter(staff, "Team", {"staff": True}).pk,
    }


@pytest.fixture
def limits(settings: DjangoSettings) -> None:
    """Nothing is refused for being too much, or for the host that the generator calls."""
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "localhost"]
    settings.CARILLON_API_WRITES_PER_MINUTE = 1_000_000
    settings.CARILLON_API_KEY_WRITES_PER_MINUTE = 1_000_000


@pytest.fixture
def one_connection(db: None) -> Iterator[None]:
    """Requests leave the test's connection open, as Django's own test client lets them."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture(params=["user", "staff", "key"])
def caller(
    request: pytest.FixtureRequest,
    alice: User,
    staff: User,
    make_key: Callable[..., tuple[ApiKey, str]],
) -> dict[str, Any]:
    """What each kind of caller sends along."""
    if request.param == "key":
        _, text = make_key(alice)
        return {"headers": {"Authorization": f"Bearer {text}"}}
    browser = Client()
    browser.force_login(alice if request.param == "user" else staff)
    token = str(browser.get("/rooms/").context["csrf_token"])
    cookies = {name: each.value for name, each in browser.cookies.items()}
    return {"headers": {"X-CSRFToken": token}, "cookies": cookies}


@pytest.mark.parametrize("label", operations())
def test_every_answer_is_as_described(
    label: str, rows: dict[str, Any], caller: dict[str, Any], limits: None, one_connection: None
) -> None:
    """No failure of the server, no status, type or shape that the description does not have."""
    operation = next(
        each.ok() for each in description().get_all_operations() if each.ok().label == label
    )
    # What is right is sent to rows that are there, what is wrong to anywhere.
    send(operation.as_strategy(generation_mode=GenerationMode.POSITIVE), caller, rows)
    # Some operations have nothing that could be wrong.
    with suppress(Unsatisfiable):
        send(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE), caller, {})


def send(cases: Any, caller: dict[str, Any], rows: dict[str, Any]) -> None:
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def once(case: Any) -> None:
        case.path_parameters.update(
            {name: rows[name] for name in case.path_parameters if name in rows}
        )
        response = case.call_and_validate(checks=CHECKS, **caller)
        assert response.status_code != 401

    once()
