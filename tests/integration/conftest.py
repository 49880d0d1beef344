"""The order of the tests against the running stack."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Look at the logs last, when all the others have left theirs."""
    items.sort(key=lambda item: item.path.name == "test_logs.py")
