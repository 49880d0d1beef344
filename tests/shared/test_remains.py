"""What processes that have ended leave behind is added up, and takes no room."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, multiprocess

from shared.telemetry import exporter
from shared.telemetry.remains import settle
from tests.processes import ENVIRONMENT, python

pytestmark = pytest.mark.thorough

# Several processes of one service, one after the other: each counts and ends.
PROCESSES = """
import os, sys
from prometheus_client import Counter, Gauge, Histogram

def work(number):
    Counter("made_total", "", ["of"]).labels(of="a\\nb").inc(number)
    seconds = Histogram("took_seconds", "", buckets=(1, 10))
    seconds.observe(number)
    for mode in ("max", "min", "sum", "mostrecent", "livesum"):
        Gauge(f"seen_{mode}", "", multiprocess_mode=mode).set(number)

for number in map(int, sys.argv[1:]):
    if (child := os.fork()) == 0:
        work(number)
        os._exit(0)
    os.waitpid(child, 0)
"""


def count_in(folder: Path, *numbers: int) -> None:
    """Have one process for each number count it."""
    environment = ENVIRONMENT | {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
    ended = python("-c", PROCESSES, *map(str, numbers), environment=environment)
    assert ended.returncode == 0, ended.stderr


def read(folder: Path) -> dict[str, float | None]:
    """Return what a scrape would tell."""
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
    value = registry.get_sample_value
    return {
        "made": value("made_total", {"of": "a\nb"}),
        "quick": value("took_seconds_bucket", {"le": "1.0"}),
        "all": value("took_seconds_count"),
        "seconds": value("took_seconds_sum"),
        **{mode: value(f"seen_{mode}") for mode in ("max", "min", "sum", "mostrecent", "livesum")},
    }


def test_everything_stays_counted(tmp_path: Path) -> None:
    """Totals are as before; what only the living have is gone; a file for each type is left."""
    count_in(tmp_path, 5, 1, 20)
    before = read(tmp_path)
    assert settle(tmp_path) == 7 * 3
    after = read(tmp_path)
    assert before == {**after, "livesum": 26.0}
    assert after["livesum"] is None
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{kind}_0.db"
        for kind in (
            *("counter", "histogram"),
            *("gauge_max", "gauge_min", "gauge_sum", "gauge_mostrecent"),
        )
    }


def test_more_end_later(tmp_path: Path) -> None:
    """Each is added once, to what is there."""
    count_in(tmp_path, 5, 20)
    settle(tmp_path)
    count_in(tmp_path, 2)
    together = read(tmp_path)
    for _ in range(2):
        settle(tmp_path)
        assert read(tmp_path) == {**together, "livesum": None}
    assert together["made"] == 27
    assert together["all"] == 3
    assert (together["max"], together["min"], together["mostrecent"]) == (20, 2, 2)


def test_the_living_are_left_alone(tmp_path: Path) -> None:
    """A process that runs goes on counting in its own files."""
    own = tmp_path / "counter_1.db"
    count_in(tmp_path, 5)
    (left,) = tmp_path.glob("counter_*.db")
    left.rename(own)
    settle(tmp_path)
    assert own.exists()
    assert read(tmp_path)["made"] == 5


def spoil_key(body: bytes) -> bytes:
    """Make the second entry's key longer than the file says that it is."""
    (first,) = struct.unpack_from("i", body, 8)
    second = 8 + 4 + first + (8 - (first + 4) % 8) + 16
    return body[:second] + struct.pack("i", 1 << 20) + body[second + 4 :]


SPOILS = pytest.mark.parametrize(
    "spoil",
    [lambda body: b"", lambda body: body[:2], spoil_key, lambda body: body[:100]],
    ids=["begun", "cut-in-the-head", "torn", "cut"],
)


@SPOILS
def test_what_cannot_be_read(
    tmp_path: Path, spoil: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """It is left out as a whole, with a line in the log, and does not come again."""
    count_in(tmp_path, 5)
    (whole,) = tmp_path.glob("histogram_*.db")
    number = int(whole.stem.rpartition("_")[2])
    count_in(tmp_path, 7)
    whole.write_bytes(spoil(whole.read_bytes()))
    settle(tmp_path)
    assert {path.stem.rpartition("_")[2] for path in tmp_path.iterdir()} == {"0"}
    assert (read(tmp_path)["made"], read(tmp_path)["seconds"]) == (12, 7)
    assert [record.args for record in caplog.records] == [(whole.name,)]
    assert f"_{number}.db" in caplog.text
    settle(tmp_path)
    assert len(caplog.records) == 1


@SPOILS
def test_sum_that_cannot_be_read(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    """It begins anew, as a service that was restarted does."""
    count_in(tmp_path, 5)
    settle(tmp_path)
    total = tmp_path / "histogram_0.db"
    total.write_bytes(spoil(total.read_bytes()))
    count_in(tmp_path, 7)
    settle(tmp_path)
    assert (read(tmp_path)["made"], read(tmp_path)["seconds"]) == (12, 7)


@SPOILS
def test_scrape_beside_what_cannot_be_read(
    tmp_path: Path, spoil: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A living process's file that has just begun, say, is left out; all others are told."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    count_in(tmp_path, 5)
    (left,) = tmp_path.glob("histogram_*.db")
    (tmp_path / f"histogram_{os.getpid()}.db").write_bytes(spoil(left.read_bytes()))
    value = exporter._registry().get_sample_value
    assert value("made_total", {"of": "a\nb"}) == 5
    assert value("took_seconds_count") == 1


def test_two_forget_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exporter may be quicker than gunicorn's master, which an error would end."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    count_in(tmp_path, 5)
    (left,) = tmp_path.glob("gauge_livesum_*.db")
    remove = os.remove

    def be_late(path: str) -> None:
        remove(path)
        remove(path)

    monkeypatch.setattr(os, "remove", be_late)
    exporter.forget_process(int(left.stem.rpartition("_")[2]))
    assert not left.exists()


def test_no_room_to_add_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The exporter goes on, and says what is wrong; everything counts where it is."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    count_in(tmp_path, 5)

    def refuse(*_: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("shared.telemetry.remains.MmapedDict.__init__", refuse)
    exporter._Processes().settle()
    assert "Too many open files" in caplog.text
    assert exporter._registry().get_sample_value("made_total", {"of": "a\nb"}) == 5
