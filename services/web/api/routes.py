"""
How an operation is declared, and what every one does before its own work.

    routes = Routes("posts")

    @routes.post("/posts", scope=Scope.POSTS_WRITE, budget=Budget.POSTS, answers={201: PostData})
    def create_post(request: ApiRequest, body: Body[NewPost]) -> PostData:

In this order: how large the body is, who asks, the CSRF token, the scope, the kind of body, the
budget; then the parameters and the body are read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from ninja import Router

from services.web.api.bodies import BodyRule
from services.web.api.caller import Caller, authenticate
from services.web.api.description import error_reference
from services.web.api.limits import spend_of
from services.web.budgets import Budget
from shared.accounts.keys import Scope

__all__ = ["Routes"]

type _Operation = Callable[..., Any]
type _Declare = Callable[[_Operation], _Operation]

_NO_BODY = BodyRule({})


class _Guard:
    """What stands before an operation; the framework calls it and keeps what it returns."""

    def __init__(self, scope: Scope | None, budget: Budget | None, body: BodyRule | None) -> None:
        self._scope = scope
        self._budget = budget
        self._body = body

    def __call__(self, request: HttpRequest) -> Caller:
        (self._body or _NO_BODY).check_size(request)
        caller = authenticate(request, self._scope)
        if self._body is not None:
            self._body.check_type(request)
        if self._budget is not None:
            spend_of(caller, self._budget)
        request.user = caller.user
        return caller


class Routes:
    """The operations of one noun."""

    def __init__(self, noun: str) -> None:
        self.router = Router(tags=[noun])

    def get(self, path: str, *, scope: Scope | None, answer: Any) -> _Declare:
        """
        Declare a read; HEAD is answered, too.

        Args:
            path: below /api/v1, with `{converter:name}` for its parameters.
            scope: what keys need.
            answer: the model of the answer.
        """
        return self._declare(["GET", "HEAD"], path, scope, {200: answer})

    def post(self, path: str, **options: Any) -> _Declare:
        """Declare a write; the options are those of `_declare`."""
        return self._declare(["POST"], path, **options)

    def put(self, path: str, **options: Any) -> _Declare:
        """Declare a write that may be repeated; the options are those of `_declare`."""
        return self._declare(["PUT"], path, **options)

    def delete(self, path: str, **options: Any) -> _Declare:
        """Declare a deletion; the options are those of `_declare`."""
        return self._declare(["DELETE"], path, **options)

    def _declare(
        self,
        methods: list[str],
        path: str,
        scope: Scope | None,
        answers: dict[int, Any],
        *,
        budget: Budget | None = None,
        body: BodyRule | None = None,
        conflict: bool = False,
        missing: bool = False,
        extra: dict[str, Any] | None = None,
    ) -> _Declare:
        """
        Declare an operation.

        Args:
            methods: what it answers.
            path: below /api/v1.
            scope: what keys need; None lets any key in.
            answers: the models of its answers, by status; None is no body.
            budget: what it counts as.
            body: what it reads; without it nothing is read.
            conflict: whether it may answer 409.
            missing: whether it may answer 404; a path with parameters always may.
            extra: what is to be said of it besides.
        """
        errors = [400, 401, 403, 413, 500]
        errors += [404] if missing or "{" in path else []
        errors += [409] if conflict else []
        errors += [411, 415] if body is not None else []
        errors += [429] if budget is not None else []

        def declare(operation: _Operation) -> _Operation:
            summary, _, rest = (operation.__doc__ or "").strip().partition("\n")
            described = {
                "security": [{"session": []}, *_keys(scope)],
                "responses": {status: error_reference(status) for status in sorted(errors)},
                **(extra or {}),
            }
            self.router.api_operation(
                methods,
                path,
                auth=_Guard(scope, budget, body),
                response=answers,
                operation_id=operation.__name__,
                summary=summary.rstrip("."),
                description=" ".join(rest.split()) or None,
                openapi_extra=described,
                exclude_unset=True,
            )(operation)
            return operation

        return declare


def _keys(scope: Scope | None) -> list[dict[str, list[str]]]:
    scopes = [] if scope is None else [str(scope)]
    return [{"bearer": scopes}, {"key": scopes}]
