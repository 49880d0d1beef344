"""
What processes leave in `PROMETHEUS_MULTIPROC_DIR` when they end: files that count for ever.

prometheus-client keeps the counters of each process in files of its own, which stay behind so that
totals never fall. gunicorn replaces each process after some 2,000 requests: hundreds of megabytes
in a day, all of them read by each scrape. Here they are added to one file for each type.
"""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict

__all__ = ["HEIR", "settle", "whole"]

logger = logging.getLogger(__name__)

# The process in whose name it goes on: there is none with this number.
HEIR = "0"

_ADDED = {"counter", "histogram", "summary", "gauge_sum"}
# What the library raises on a file that breaks off.
_BREAKS_OFF = (RuntimeError, UnicodeDecodeError, struct.error)


def settle(folder: Path) -> int:
    """
    Add up what ended processes have counted, and remove their files; say how many there were.

    Nobody may read the folder meanwhile: until a file is removed it would be counted twice. What
    cannot be read is removed as well, or nothing would ever be told again.
    """
    settled = 0
    for path, kind in _left_behind(folder):
        if not kind.startswith("gauge_live"):
            if (entries := _read(path)) is None:
                _say_lost(path)
            else:
                _add(entries, path.with_name(f"{kind}_{HEIR}.db"), kind)
        path.unlink(missing_ok=True)
        settled += 1
    return settled


def whole(folder: Path) -> list[str]:
    """Return the files that can be read; one that a process has just begun cannot yet."""
    return [str(path) for path in sorted(folder.glob("*.db")) if _read(path) is not None]


def _left_behind(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the files of processes that are gone, each with what its name says it holds."""
    for path in sorted(folder.glob("*_*.db")):
        kind, _, pid = path.stem.rpartition("_")
        if pid.isdigit() and pid != HEIR and _is_gone(int(pid)):
            yield path, kind


def _is_gone(pid: int) -> bool:
    try:
        # Not by /proc, which may hide those that live.
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        # It is somebody else's.
        pass
    return False


def _read(path: Path) -> list[tuple[str, float, float]] | None:
    """Return key, value and time of all that a file holds; None of one that breaks off."""
    try:
        entries = MmapedDict.read_all_values_from_file(str(path))  # type: ignore[no-untyped-call]
        return [(key, value, at) for key, value, at, _ in entries]
    except (FileNotFoundError, *_BREAKS_OFF):
        return None


def _add(entries: list[tuple[str, float, float]], target: Path, kind: str) -> None:
    total = _open(target)
    try:
        for key, value, at in entries:
            is_new = key not in total._positions
            before, since = total.read_value(key)  # type: ignore[no-untyped-call]
            match kind:
                case _ if kind in _ADDED:
                    value += before
                case "gauge_max" if not is_new:
                    value = max(value, before)
                case "gauge_min" if not is_new:
                    value = min(value, before)
                case "gauge_mostrecent" if since > at:
                    value, at = before, since
            total.write_value(key, value, at)  # type: ignore[no-untyped-call]
    finally:
        total.close()  # type: ignore[no-untyped-call]


def _open(target: Path) -> MmapedDict:
    try:
        return MmapedDict(str(target))  # type: ignore[no-untyped-call]
    except _BREAKS_OFF:
        # Rates take it for a restart.
        _say_lost(target)
        target.unlink()
        return MmapedDict(str(target))  # type: ignore[no-untyped-call]


def _say_lost(path: Path) -> None:
    logger.warning("%s cannot be read: what was counted there is lost.", path.name)
