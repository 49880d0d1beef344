"""Descriptors: each connection takes one, and others are needed beside."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable

import pytest

from services.gateway import runtime
from services.gateway.transport.capacity import RESERVE, Capacity, TooFewFiles
from tests.processes import ROOT

_ASK = """
import logging, resource, sys
from services.gateway.transport.capacity import TooFewFiles, connection_limit
logging.basicConfig(format="%(message)s")
try:
    print(connection_limit(int(sys.argv[1]), is_given=sys.argv[2] == "given"))
except TooFewFiles as error:
    print(error)
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def _limited(hard: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))


def _ask(wanted: int, *, how: str, hard: int) -> tuple[str, str, str]:
    """Return the answer, the limits afterwards, and the log of a process with a hard limit."""
    done = subprocess.run(
        [sys.executable, "-c", _ASK, str(wanted), how],
        cwd=ROOT,
        preexec_fn=_limited(hard),
        capture_output=True,
        text=True,
        check=True,
    )
    answer, limits = done.stdout.splitlines()
    return answer, limits, done.stderr


@pytest.mark.parametrize("how", ["given", "default"])
def test_enough_files(how: str) -> None:
    """The soft limit is raised to the hard one, and nothing is said."""
    assert _ask(100, how=how, hard=100 + RESERVE) == ("100", "300 300", "")


def test_too_few_files_for_a_number_that_was_given() -> None:
    """One sentence tells how many are needed."""
    answer, _, log = _ask(101, how="given", hard=100 + RESERVE)
    assert answer == str(TooFewFiles(101, 300))
    assert "need 301 open files" in answer
    assert log == ""


def test_too_few_files_for_the_default() -> None:
    """As many are served as fit, and that is logged once."""
    answer, limits, log = _ask(10_000, how="default", hard=1000)
    assert (answer, limits) == ("800", "1000 1000")
    assert log.splitlines() == [
        "At most 800 connections, not 10000: the system allows 1000 open files (`ulimit -Hn`)."
    ]


def test_no_file_for_even_one() -> None:
    """That is no gateway."""
    answer, _, _ = _ask(10_000, how="default", hard=RESERVE)
    assert answer == str(TooFewFiles(1, RESERVE))


def test_gateway_that_was_given_too_many() -> None:
    """It does not start, with one sentence and the status of a refused setting."""
    done = subprocess.run(
        [sys.executable, "-m", "services.gateway", "-p", "0"],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "services.gateway.settings",
            "CARILLON_SECRET_KEY": "0123456789" * 4,
            "CARILLON_PUBLIC_ORIGINS": "https://chat.example.org",
            "DATABASE_URL": "sqlite:///:memory:",
            "BROKER_URL": "amqp://somebody:secret@127.0.0.1:1/nowhere",
            "CARILLON_DEMO": "1",
            "CARILLON_GATEWAY_CONNECTIONS": "50000",
        },
        preexec_fn=_limited(4096),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr == (
        "Carillon does not start: CARILLON_GATEWAY_CONNECTIONS: 50000 connections need 50200 open "
        "files, and the system allows 4096: allow 50200 (`ulimit -Hn 50200`), or have fewer.\n"
    )


@pytest.mark.parametrize(
    ("limit", "count", "words"),
    [
        (None, 10**6, None),
        (1000, 949, None),
        (1000, 950, "950 are open, and 1000 may be"),
        (1000, 1000, "1000 are open, and 1000 may be"),
        (1, 0, None),
        (1, 1, "1 are open, and 1 may be"),
    ],
)
def test_crowding(limit: int | None, count: int, words: str | None) -> None:
    """From 95 % of the limit on it is said."""
    capacity = Capacity(limit)
    capacity.open = count
    assert capacity.crowding() == words
    assert capacity.is_full == (limit is not None and count >= limit)


async def test_readiness(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that is nearly full is not ready, in those words; it lives all the same."""
    served: dict[str, object] = {}
    monkeypatch.setattr(runtime.health, "serve", lambda *_, **how: served.update(how))
    capacity = Capacity(10)
    gateway = runtime.Gateway()
    gateway.on_crowding(capacity.crowding)
    gateway.serve_internal()
    assert served["ready"]["connections"]() is None
    capacity.open = 10
    assert served["ready"]["connections"]() == "10 are open, and 10 may be"
    assert "connections" not in served["live"]
    await gateway.stop()
