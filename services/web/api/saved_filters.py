"""Saved filters: choices of users that bulk jobs can be addressed to."""

from __future__ import annotations

from typing import Annotated, Any

from ninja import Body, Query
from pydantic import Field

from services.web.api.bodies import JSON
from services.web.api.caller import ApiRequest
from services.web.api.fields import Answer, Id, Input, Page, Storable, Timestamp
from services.web.api.routes import Routes
from services.web.budgets import Budget
from shared.accounts.keys import Scope
from shared.bulk.access import access_filter
from shared.bulk.filters import do_delete_filter, do_save_filter
from shared.bulk.models import SavedFilter
from shared.bulk.queries import filters_for

__all__ = ["routes"]

routes = Routes("saved filters")


class NewFilter(Input):
    name: Annotated[str, Field(max_length=100, examples=["Team in Berlin"])]
    criteria: Annotated[
        dict[str, Any],
        Storable,
        Field(
            description="staff, language, time_zone, joined_after, joined_before, "
            "last_login_after, last_login_before, never_signed_in, group: all must hold.",
            examples=[{"staff": True, "time_zone": "Europe/Berlin"}],
        ),
    ]


class FilterData(Answer):
    id: Id
    name: str
    criteria: dict[str, Any]
    created: Timestamp


class FilterList(Answer):
    filters: list[FilterData]
    next: Id | None


@routes.get("/saved-filters", scope=Scope.BULK_READ, answer=FilterList)
def list_filters(request: ApiRequest, page: Query[Page]) -> FilterList:
    """List the saved filters, the newest first; only staff may."""
    filters, following = page.cut(filters_for(request.user))
    return FilterList(filters=[_told(each) for each in filters], next=following)


@routes.post(
    "/saved-filters",
    scope=Scope.BULK_WRITE,
    answers={201: FilterData},
    budget=Budget.BULK,
    body=JSON,
    conflict=True,
)
def create_filter(request: ApiRequest, body: Body[NewFilter]) -> FilterData:
    """Save a filter."""
    return _told(do_save_filter(request.user, body.name, body.criteria))


@routes.get("/saved-filters/{int:filter_id}", scope=Scope.BULK_READ, answer=FilterData)
def read_filter(request: ApiRequest, filter_id: Id) -> FilterData:
    """Read one saved filter."""
    return _told(access_filter(request.user, filter_id))


@routes.delete(
    "/saved-filters/{int:filter_id}",
    scope=Scope.BULK_WRITE,
    answers={204: None},
    budget=Budget.BULK,
)
def delete_filter(request: ApiRequest, filter_id: Id) -> None:
    """Delete a saved filter; jobs that were started with it stay as they are."""
    do_delete_filter(request.user, filter_id)


def _told(saved: SavedFilter) -> FilterData:
    return FilterData(
        id=saved.pk, name=saved.name, criteria=saved.criteria, created=saved.created_at
    )
