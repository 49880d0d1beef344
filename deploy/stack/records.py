"""
What the state folder remembers of each started service: enough to stop it without a declaration.
"""

import json
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.stack.processes import Identity, is_alive

__all__ = ["Record", "Records"]


@dataclass(frozen=True)
class Record:
    """A started process and how it wants to be stopped."""

    name: str
    identity: Identity
    version: str
    needs: tuple[str, ...]
    stop_signal: signal.Signals
    stop_seconds: float

    @property
    def alive(self) -> bool:
        return is_alive(self.identity)


class Records:
    """One file `<name>.pid` per started process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, record: Record) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(
            {
                "pid": record.identity.pid,
                "started": record.identity.started,
                "version": record.version,
                "needs": record.needs,
                "stop_signal": record.stop_signal.name,
                "stop_seconds": record.stop_seconds,
            }
        )
        # A reader, or the next command after a crash, sees the whole record or none.
        path = self.folder / f"{record.name}.pid"
        draft = path.with_suffix(".draft")
        draft.write_text(text + "\n")
        draft.replace(path)

    def read(self, name: str) -> Record | None:
        path = self.folder / f"{name}.pid"
        try:
            data = json.loads(path.read_text())
            return Record(
                name=name,
                identity=Identity(data["pid"], data["started"]),
                version=data["version"],
                needs=tuple(data["needs"]),
                stop_signal=signal.Signals[data["stop_signal"]],
                stop_seconds=data["stop_seconds"],
            )
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            # Without a start time nobody can say whose pid it is: forget it rather than kill.
            path.unlink()
            return None

    def forget(self, name: str) -> None:
        (self.folder / f"{name}.pid").unlink(missing_ok=True)

    def all(self) -> Sequence[Record]:
        names = sorted(path.stem for path in self.folder.glob("*.pid"))
        return [record for name in names if (record := self.read(name))]
