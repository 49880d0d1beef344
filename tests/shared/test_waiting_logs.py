"""What a log says of servers that are away: once, in words, without where somebody found out."""

from __future__ import annotations

import logging
from typing import Any

import psycopg
import pytest
from celery.worker.consumer import consumer
from django.db import InternalError, OperationalError

from shared.telemetry import logging as ours


def record(name: str, message: str, *args: Any, error: Exception | None = None) -> Any:
    info = (type(error), error, None) if error is not None else None
    return logging.LogRecord(name, logging.ERROR, "", 0, message, args, info)


def test_words_are_celerys() -> None:
    """A version that says it otherwise is noticed here."""
    assert ours._CANNOT_CONNECT == consumer.CONNECTION_ERROR


class TestWaitingOnce:
    def test_once_until_it_is_back(self) -> None:
        """The first try is told, in our words; the next ones are not, until it has been back."""
        told = ours._WaitingOnce()

        def tries(number: int) -> list[bool]:
            return [told.filter(one) for one in attempts(number)]

        def attempts(number: int) -> list[Any]:
            place = ("amqp://worker:**@h/carillon", OSError("refused"))
            steps = [f"Trying again in {2 * n} seconds" for n in range(number)]
            name = "celery.worker.consumer.consumer"
            return [record(name, ours._CANNOT_CONNECT, *place, step) for step in steps]

        [first] = attempts(1)
        assert told.filter(first)
        assert first.getMessage() == (
            "RabbitMQ at amqp://worker:**@h/carillon is away (refused); the worker goes on trying."
        )
        assert tries(3) == [False] * 3
        assert told.filter(
            record("celery.worker.consumer.connection", "Connected to %s", "amqp://h")
        )
        assert tries(3) == [True, False, False]

    def test_reminder(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Ten minutes later once more."""
        moments = iter([0.0, 599.0, 601.0])
        monkeypatch.setattr(ours.time, "monotonic", lambda: next(moments))
        told = ours._WaitingOnce()
        tries = [record("x", ours._CANNOT_CONNECT, "amqp://h", "gone", "") for _ in range(3)]
        assert [told.filter(one) for one in tries] == [True, False, True]


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "has_traceback"),
    [
        (OperationalError("couldn't get a connection after 3.00 sec"), False),
        (caused(OperationalError("gone"), psycopg.errors.AdminShutdown("gone")), False),
        (caused(InternalError("no"), psycopg.errors.ReadOnlySqlTransaction("no")), False),
        (caused(OperationalError("slow"), psycopg.errors.LockNotAvailable("slow")), True),
        (ValueError("a mistake of ours"), True),
    ],
)
def test_task_without_a_database(error: Exception, has_traceback: bool) -> None:
    """One line, which has the error's words; a mistake keeps its traceback."""
    line = record("celery.app.trace", "Task x raised unexpected: %r", error, error=error)
    assert ours._MachineryBriefly().filter(line)
    assert bool(line.exc_info) is has_traceback
    assert repr(error) in line.getMessage()
