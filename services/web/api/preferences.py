"""Which categories of notifications one wants."""

from __future__ import annotations

from typing import Annotated

from django.db import transaction
from ninja import Body
from pydantic import Field

from services.web.api.bodies import JSON
from services.web.api.caller import ApiRequest
from services.web.api.fields import Answer, Input
from services.web.api.routes import Routes
from services.web.budgets import Budget
from shared.accounts.keys import Scope
from shared.accounts.models import User
from shared.notifications.actions import do_set_preference
from shared.notifications.queries import preferences_of

__all__ = ["routes"]

routes = Routes("preferences")


class Choice(Input):
    category: Annotated[str, Field(max_length=32, examples=["posts"])]
    enabled: bool


class Choices(Input):
    preferences: Annotated[list[Choice], Field(max_length=100)]


class Preference(Answer):
    category: str
    label: str
    enabled: bool


class PreferenceList(Answer):
    preferences: list[Preference]


@routes.get("/preferences", scope=Scope.NOTIFICATIONS_READ, answer=PreferenceList)
def list_preferences(request: ApiRequest) -> PreferenceList:
    """List every category, and whether the caller wants it."""
    return _told(request.user)


@routes.put(
    "/preferences",
    scope=Scope.NOTIFICATIONS_WRITE,
    answers={200: PreferenceList},
    budget=Budget.NOTIFICATIONS,
    body=JSON,
)
def set_preferences(request: ApiRequest, body: Body[Choices]) -> PreferenceList:
    """Switch categories on or off; those that are not named stay. All of them change, or none."""
    with transaction.atomic():
        for choice in body.preferences:
            do_set_preference(request.user, choice.category, choice.enabled)
    return _told(request.user)


def _told(user: User) -> PreferenceList:
    return PreferenceList(
        preferences=[
            Preference(
                category=each.category.key, label=str(each.category.label), enabled=each.enabled
            )
            for each in preferences_of(user)
        ]
    )
