from __future__ import annotations

from datetime import timedelta

import pytest

from shared.realtime.checks import check_namespaces
from shared.realtime.namespaces import Namespace, register


class Old(Namespace):
    name = "old"
    history_ttl = timedelta(days=1)


class Elsewhere(Namespace):
    name = "elsewhere"
    standing = ("old:all",)


class Unkept(Namespace):
    name = "unkept"
    join_leave = True


class Kept(Namespace):
    name = "kept"
    presence = True
    join_leave = True


def test_what_is_declared_here() -> None:
    """The product and its team's app are in order."""
    assert check_namespaces() == []


@pytest.mark.parametrize(
    ("namespace", "found"),
    [
        (Old, ["realtime.E001"]),
        (Elsewhere, ["realtime.E002"]),
        (Unkept, ["realtime.E003"]),
        (Kept, []),
    ],
)
def test_mistakes(namespace: type[Namespace], found: list[str]) -> None:
    """What would show as silence is told when the process starts."""
    register(namespace)
    assert [each.id for each in check_namespaces()] == found
