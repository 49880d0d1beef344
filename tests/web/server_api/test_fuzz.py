"""Whatever is sent, it is answered in the right shape, and nothing fails."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.web.server_api.methods import METHODS, UNAVAILABLE

pytestmark = [pytest.mark.django_db, pytest.mark.thorough]

TEXTS = st.one_of(
    st.sampled_from(["", "feed:a", "flash:a", "chat:a", "controls:all", "k", "*", "\0", "e", "42"]),
    st.text(max_size=20),
)
NUMBERS = st.one_of(
    st.sampled_from([-(2**63), -2, -1, 0, 1, 5, 3500, 2**31, 2**53, 2**63, 2**64, 10**400]),
    st.integers(-10, 5_000),
    st.floats(allow_nan=False, allow_infinity=False),
)
LEAVES = st.none() | st.booleans() | NUMBERS | TEXTS
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
POSITIONS = st.fixed_dictionaries({}, optional={"offset": NUMBERS, "epoch": TEXTS})
FLAGS = st.fixed_dictionaries({}, optional={"value": st.booleans() | LEAVES})
# What fields are meant to hold; each may hold anything else, too.
MEANT = {
    "channel": TEXTS,
    "channels": st.lists(TEXTS, max_size=5),
    "data": st.dictionaries(TEXTS, ANYTHING, max_size=3),
    "b64data": st.sampled_from(["", "e30=", "eyJuIjoxfQ==", "/w==", "x"]),
    "b64info": st.sampled_from(["", "e30=", "x"]),
    "info": ANYTHING,
    "params": ANYTHING,
    "skip_history": st.booleans(),
    "delta": st.booleans(),
    "tags": st.dictionaries(TEXTS, TEXTS, max_size=2),
    "idempotency_key": TEXTS,
    "version": NUMBERS,
    "version_epoch": TEXTS,
    "limit": NUMBERS,
    "since": POSITIONS,
    "recover_since": POSITIONS,
    "reverse": st.booleans(),
    "user": TEXTS,
    "client": TEXTS,
    "session": TEXTS,
    "expire_at": NUMBERS,
    "expired": st.booleans(),
    "override": st.dictionaries(
        st.sampled_from(["presence", "join_leave", "force_recovery", "x"]), FLAGS, max_size=3
    ),
    "whitelist": st.lists(TEXTS, max_size=3),
    "disconnect": st.fixed_dictionaries({}, optional={"code": NUMBERS, "reason": TEXTS}),
    "pattern": TEXTS,
    "method": TEXTS,
}


def requests_of(method: str) -> st.SearchStrategy[Any]:
    fields = METHODS[method].request.__struct_fields__
    return st.fixed_dictionaries(
        {}, optional={name: MEANT[name] | ANYTHING for name in [*fields, "data"]}
    )


COMMANDS = st.one_of(
    *[st.fixed_dictionaries({method: requests_of(method)}) for method in METHODS],
    st.dictionaries(TEXTS | st.sampled_from(sorted(UNAVAILABLE)), ANYTHING, max_size=2),
)
BATCHES = st.fixed_dictionaries(
    {"commands": st.lists(COMMANDS, max_size=5)}, optional={"parallel": st.booleans() | LEAVES}
)
REQUESTS = st.one_of(
    *[st.tuples(st.just(method), requests_of(method)) for method in METHODS],
    st.tuples(st.just("batch"), BATCHES | ANYTHING),
    st.tuples(st.sampled_from([*METHODS, "batch", *sorted(UNAVAILABLE)]), ANYTHING),
)
OUR_FAULT = 100


def check(status: int, answer: Any, method: str, transport: bool) -> None:
    """Make sure of an answer's shape, and that nothing of it is our fault."""
    if status != 200:
        assert status in {400, 403, 404, 409, 413, 416}
        assert set(answer) == {"code", "message"}
        assert answer["code"] != OUR_FAULT
        assert answer["message"]
        return
    if method == "batch":
        assert list(answer) == ["replies"]
        errors = [each["error"] for each in answer["replies"] if "error" in each]
        assert all(len(each) == 1 for each in answer["replies"])
    else:
        assert list(answer) in (["result"], ["error"])
        errors = [answer["error"]] if "error" in answer else []
        assert not (errors and transport)
    assert all(each["code"] != OUR_FAULT and each["message"] for each in errors)


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(request=REQUESTS, transport=st.booleans())
def test_any_request(
    request: tuple[str, Any],
    transport: bool,
    key: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A result, or an error that says whose fault it is: never ours."""
    method, body = request
    caplog.set_level(logging.ERROR)
    headers = {"X-API-Key": key, "X-Centrifugo-Error-Mode": "transport" if transport else ""}
    sent = msgspec.json.encode(body)
    response = Client().post(f"/api/{method}", sent, "application/json", headers=headers)
    assert response.headers["Content-Type"] == "application/json"
    check(response.status_code, response.json(), method, transport)
    assert caplog.records == []


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    method=st.sampled_from([*METHODS, "batch"]),
    body=st.binary(max_size=60) | st.text('{}[]":,\\u0dtrue ', max_size=60).map(str.encode),
)
def test_any_bytes(method: str, body: bytes, key: str) -> None:
    """400, unless they happen to be an object."""
    headers = {"X-API-Key": key}
    response = Client().post(f"/api/{method}", body, "application/json", headers=headers)
    assert response.status_code in {200, 400}
    check(response.status_code, response.json(), method, False)
