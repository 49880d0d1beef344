"""The policy that keeps Debian from starting servers while they are installed."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from deploy.stack import programs
from deploy.stack.errors import StackError
from deploy.stack.programs import NO_SERVICES, SAVED, services_stay_down


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The policy's file, in a folder that goes away with the test."""
    path = tmp_path / "policy-rc.d"
    monkeypatch.setattr(programs, "POLICY", path)
    return path


def test_no_policy(policy: Path) -> None:
    """It is there during the installation alone."""
    with services_stay_down():
        assert policy.read_text() == NO_SERVICES
        assert os.access(policy, os.X_OK)
    assert list(policy.parent.iterdir()) == []


def test_policy_of_the_machine(policy: Path) -> None:
    """The machine's own policy comes back, even when the installation fails."""
    policy.write_text("the machine's")
    with pytest.raises(StackError), services_stay_down():
        raise StackError("the installation failed")
    assert policy.read_text() == "the machine's"
    assert list(policy.parent.iterdir()) == [policy]


@pytest.mark.parametrize("original", ["", "the machine's"], ids=["none", "one"])
def test_policy_that_a_killed_run_left(policy: Path, original: str) -> None:
    """Ours goes, and what it had replaced comes back."""
    policy.write_text(NO_SERVICES)
    if original:
        policy.with_name(SAVED).write_text(original)
    with services_stay_down():
        assert policy.read_text() == NO_SERVICES
    assert [path.read_text() for path in policy.parent.iterdir()] == (
        [original] if original else []
    )


def test_two_originals(policy: Path) -> None:
    """A saved policy is never overwritten."""
    saved = policy.with_name(SAVED)
    policy.write_text("new")
    saved.write_text("old")
    with pytest.raises(StackError, match="remove the one that is wrong"), services_stay_down():
        pass
    assert (policy.read_text(), saved.read_text()) == ("new", "old")


def test_two_installations(policy: Path) -> None:
    """A second installation waits for the first."""
    folder = os.open(policy.parent, os.O_RDONLY)
    try:
        with services_stay_down(), pytest.raises(BlockingIOError):
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(folder)
