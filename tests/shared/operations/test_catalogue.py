"""The ids of findings: in the code, in the catalogue and in the documentation the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.checks import ERROR, WARNING

from shared.operations.catalogue import MEANINGS, found

ROOT = Path(__file__).resolve().parents[3]
_ID = re.compile(r"\bcarillon\.[EW][0-9]{3}\b")
SOURCES = [
    path
    for folder in ("shared/operations", "shared/settings")
    for path in (ROOT / folder).rglob("*.py")
    if path.name != "catalogue.py"
]


def test_documented() -> None:
    """docs/operations.md has each with its meaning, in this order, and no other."""
    page = (ROOT / "docs" / "operations.md").read_text()
    rows = re.findall(r"^\| `(carillon\.[EW][0-9]{3})` \| (.*?) \|", page, flags=re.MULTILINE)
    assert rows == list(MEANINGS.items())


def test_used() -> None:
    """Each is found somewhere, and none that the catalogue does not have."""
    assert set(_ID.findall("".join(path.read_text() for path in SOURCES))) == set(MEANINGS)


def test_numbers() -> None:
    """A number stands for one thing, whether that is an error or a warning."""
    numbers = [id[-3:] for id in MEANINGS]
    assert len(set(numbers)) == len(numbers)
    assert numbers == sorted(numbers)


@pytest.mark.parametrize(("id", "level"), [("carillon.E020", ERROR), ("carillon.W026", WARNING)])
def test_level(id: str, level: int) -> None:
    """The letter says it."""
    assert found(id, "fault", "remedy").level == level
