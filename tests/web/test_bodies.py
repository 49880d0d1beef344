"""How much a form may hold, and that a larger one is refused before it is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from shared.accounts.models import User

type SignIn = Callable[[User], Client]

MIB = 1024 * 1024
BULK = "/staff/bulk/"


class Unread:
    """A body that nobody may read."""

    def read(self, size: int = -1) -> bytes:
        raise AssertionError("The body was read.")

    readline = read


def send(browser: Client, path: str, size: int) -> int:
    """Say that a form of so many bytes comes; return the status of the answer."""
    body: dict[str, Any] = {"wsgi.input": Unread(), "CONTENT_LENGTH": str(size)}
    form = "multipart/form-data; boundary=x"
    return browser.generic("POST", path, content_type=form, **body).status_code


@pytest.fixture
def stranger() -> Client:
    return Client(enforce_csrf_checks=True)


@pytest.mark.parametrize("path", [BULK, "/accounts/login/", "/feed/", "/admin/login/"])
def test_a_strangers_upload_is_refused_unread(path: str, stranger: Client, db: None) -> None:
    """Although the check of its token would read it before anybody asks who sends it."""
    assert send(stranger, path, 3 * MIB) == 413


def test_only_staff_may_send_a_list(alice: User, staff: User, signed_in: SignIn) -> None:
    """Up to what a list and its form may hold, and to the page that takes lists."""
    assert send(signed_in(alice), BULK, 3 * MIB) == 413
    assert send(signed_in(staff), BULK, 66 * MIB) == 413
    assert send(signed_in(staff), "/feed/", 3 * MIB) == 413
    list_ = SimpleUploadedFile("people.csv", b"1\n" * (2 * MIB))
    answer = signed_in(staff).post(BULK, {"audience": "ids", "file": list_, "leave_out": "on"})
    assert answer.status_code == 400
    assert "Choose what to send." in answer.content.decode()


def test_the_refusal_says_what_to_do(stranger: Client, db: None) -> None:
    """In words, as every page does."""
    body: dict[str, Any] = {"wsgi.input": Unread(), "CONTENT_LENGTH": "9999999"}
    assert "send less" in stranger.generic("POST", BULK, **body).content.decode()
