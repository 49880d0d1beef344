"""Seals on bells: what is ours is heard, what is not is nothing."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings

from shared.broker.seals import opened, sealed
from shared.broker.wire import MalformedBell, Published, bells, decode, read_bell

SAID = Published("chat:lobby", "e", 1, '{"n":1}', 1.5)
[(BODY, _)] = bells("bells", [SAID])


def received(body: bytes) -> dict[str, Any]:
    """The event as a stock channel layer gives it, which takes the group out."""
    event = decode(body)
    assert event.pop("__asgi_group__") == "bells"
    return event


def test_what_is_ours_is_opened() -> None:
    """A sealed body is the event that was put in, for the group that it was sent to."""
    assert read_bell(opened(received(sealed("bells", BODY)))) == [SAID]


@pytest.mark.parametrize(
    "change",
    [
        {"type": "bell.ring"},
        {"body": BODY.replace(b"lobby", b"hobby")},
        {"body": BODY.decode("latin-1")},
        {"seal": bytes(32)},
        {"seal": b""},
        {"seal": None},
        {"body": None},
    ],
)
def test_what_was_changed_is_not(change: dict[str, Any]) -> None:
    """Whatever is not as it was sealed is no bell."""
    with pytest.raises(MalformedBell):
        opened(received(sealed("bells", BODY)) | change)


def test_what_was_never_sealed_is_not() -> None:
    """A bell without a seal, as anybody can make it, is none."""
    with pytest.raises(MalformedBell):
        opened(received(BODY))


def test_another_secret(settings: Settings) -> None:
    """What others have sealed is no bell; what was sealed before the secret changed is one."""
    before = settings.SECRET_KEY
    body = received(sealed("bells", BODY))
    settings.SECRET_KEY = "another secret key of thirty-two characters"
    with pytest.raises(MalformedBell):
        opened(body)
    settings.SECRET_KEY_FALLBACKS = [before]
    assert read_bell(opened(body)) == [SAID]
