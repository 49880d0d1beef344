from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.gateway.transport.child import Child


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    """The server of a module's tests, which must leave it as they found it."""
    child = Child(tmp_path_factory.mktemp("server"))
    yield child
    child.kill()


@pytest.fixture
def server(shared_server: Child) -> Iterator[Child]:
    """A server that is seen to live, and to have raised nothing, after each test."""
    before = len(shared_server.errors())
    yield shared_server
    assert shared_server.stats()
    assert "Traceback" not in shared_server.errors()[before:]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Child]]:
    """Start servers of the test's own, with arguments of theirs."""
    children: list[Child] = []

    def start(*arguments: str) -> Child:
        folder = tmp_path / f"server{len(children)}"
        folder.mkdir()
        children.append(Child(folder, *arguments))
        return children[-1]

    yield start
    for child in children:
        child.kill()
