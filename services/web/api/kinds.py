"""The kinds of notifications that staff may send to many."""

from __future__ import annotations

from pydantic import Field

from services.web.api.caller import ApiRequest
from services.web.api.fields import Answer
from services.web.api.routes import Routes
from shared.accounts.keys import Scope
from shared.bulk.access import access_staff
from shared.bulk.content import label_of, offered_kinds

__all__ = ["routes"]

routes = Routes("kinds")


class KindField(Answer):
    name: str = Field(description="Its key in a job's context.")
    label: str
    required: bool = Field(description="Whether it may not stay empty.")


class KindData(Answer):
    key: str = Field(description="A job's kind.")
    label: str
    category: str = Field(description="What users switch on and off in their preferences.")
    fields: list[KindField]


class KindList(Answer):
    kinds: list[KindData]


@routes.get("/kinds", scope=Scope.BULK_READ, answer=KindList)
def list_kinds(request: ApiRequest) -> KindList:
    """List the kinds that are offered for bulk jobs, with the values that they take."""
    access_staff(request.user)
    offered = [
        KindData(
            key=kind.key,
            label=label_of(kind),
            category=kind.category.key,
            fields=[
                KindField(name=name, label=str(label), required=name in kind.required)
                for name, label in kind.fields.items()
            ],
        )
        for kind in offered_kinds()
    ]
    return KindList(kinds=offered)
