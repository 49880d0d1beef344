from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from deploy.stack.layout import Layout
from deploy.stack.probes import listens
from deploy.stack.service import Service
from deploy.stack.supervisor import Supervisor

ENV = {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def layout() -> Iterator[Layout]:
    """A place for a stack that goes away with the test."""
    with Layout.temporary() as layout:
        yield layout


@pytest.fixture
def lines() -> list[str]:
    """What the supervisor reported."""
    return []


@pytest.fixture
def supervisor(layout: Layout, lines: list[str]) -> Iterator[Supervisor]:
    supervisor = Supervisor(layout.state, layout.root, lines.append)
    yield supervisor
    supervisor.down(at_once=True)


def echo(name: str, port: int) -> Service:
    """Declare a stand-in that says what it was sent."""
    return Service(
        name=name,
        command=(sys.executable, "-m", "tests.stack.echo", str(port)),
        env=ENV,
        ready=listens(port),
        ports={port: "CARILLON_BASE_PORT"},
    )
