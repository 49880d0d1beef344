"""What the trials' command makes of what it finds; the trials themselves are tests elsewhere."""

from __future__ import annotations

import math

import pytest

from tests.load.command import status
from tests.sdk.trials.__main__ import SHOWS, TRIALS, endings_figures, main
from tests.sdk.trials.endings import Ended


def test_bounds_of_endings() -> None:
    """What ended too late, or never, or otherwise than it should, makes the command fail."""
    good = Ended([0.1, 0.2, 0.9])
    assert status(endings_figures({"banned": good}, "", at_most=1)) == 0
    for bad in (Ended([0.1, 1.1]), Ended([0.1, math.inf]), Ended([0.1], ["ended with 3000"])):
        assert status(endings_figures({"banned": bad}, "", at_most=1)) == 1


def test_unknown_trial(capsys: pytest.CaptureFixture[str]) -> None:
    """A trial that is not there is named, before anything is started."""
    with pytest.raises(SystemExit) as refused:
        main(["kils"])
    assert refused.value.code == 2
    assert "'kils'" in capsys.readouterr().err


def test_every_show_has_a_trial() -> None:
    """What the command offers is what it can do."""
    assert set(SHOWS) == set(TRIALS)
