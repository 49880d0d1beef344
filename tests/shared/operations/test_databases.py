"""The database of this deployment, whichever it is."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from pytest_django import Settings

from shared.accounts.demo import DEMO_PASSWORD
from shared.accounts.models import User
from shared.operations import databases
from shared.operations.looking import Looked, look_at_all
from shared.operations.processes import InvalidProcesses, Processes

pytestmark = pytest.mark.django_db(transaction=True)


def look() -> Looked:
    """Look from a thread, as the command does, which ends the connection that it made."""
    return look_at_all({"database": databases.look})["database"]


def ids(seen: Looked) -> list[str]:
    return [str(finding.id) for finding in seen.findings]


@pytest.fixture(autouse=True)
def no_demo(settings: Settings) -> None:
    settings.CARILLON_DEMO = False


def test_all_is_well() -> None:
    """Its name and version are told."""
    seen = look()
    assert ids(seen) == []
    assert {"name", "version"} <= seen.facts.keys()


def test_missing_migration() -> None:
    """It is named, and what to do."""
    row = MigrationRecorder(connection).migration_qs.get(app="chat", name="0001_initial")
    row.delete()
    try:
        [finding] = look().findings
    finally:
        row.save(force_insert=True)
    assert finding.id == "carillon.E034"
    assert "chat.0001_initial" in str(finding.msg)


def test_demo_users(settings: Settings) -> None:
    """Unless the demo is allowed."""
    User.objects.create_user("alice", password=DEMO_PASSWORD)
    assert ids(look()) == ["carillon.E035"]
    settings.CARILLON_DEMO = True
    assert ids(look()) == []


@pytest.mark.parametrize("text", ["", "web", "web=", "web=-1", "web=two", "nginx=1", "web=1;x=2"])
def test_no_number_of_processes(text: str) -> None:
    """It is refused with the form."""
    with pytest.raises(InvalidProcesses, match="write web="):
        Processes.read(text)
