"""What the benchmarks' commands have in common."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.stack.errors import StackError
from tests.load.command import allow_files, alone, said, status
from tests.load.figures import Figure


@pytest.fixture(autouse=True)
def same_signals() -> Iterator[None]:
    """Have the tests' own handlers back."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_one_at_a_time(tmp_path: Path) -> None:
    """Who finds a benchmark running is told so; afterwards the folder is free again."""
    folder = tmp_path / "bench"
    with (
        alone(folder),
        pytest.raises(StackError, match="Another benchmark runs"),
        alone(folder),
    ):
        pass
    with alone(folder):
        pass


def test_the_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    """It is 1 where a figure falls short, and that is said on stderr."""
    good, bad = Figure("a", 2, "", at_least=1), Figure("b", 0.5, "", at_least=1)
    assert status([good]) == 0
    assert capsys.readouterr().err == ""
    assert status([good, bad]) == 1
    assert capsys.readouterr().err == "1 of the figures fall short.\n"


@pytest.mark.parametrize(
    ("error", "code"), [(StackError("no"), 1), (RuntimeError("no"), 1), (KeyboardInterrupt(), 130)]
)
def test_what_ends_it_early(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sentence and a status, no traceback."""

    def run() -> int:
        raise error

    assert said(run) == code
    assert capsys.readouterr().err.count("\n") == 1


def test_too_few_files() -> None:
    """A limit that root has set is named, and what it would take."""
    with pytest.raises(StackError, match="ulimit -Hn"):
        allow_files(2**40)
