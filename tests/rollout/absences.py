"""How long clients were away, why, and how evenly they came back; plain values, no I/O."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Absence", "Returns", "absences_of"]

# What SDKs tell when the application itself asked for the connection.
_ASKED = 0


@dataclass(frozen=True, slots=True)
class Absence:
    """
    A client without a connection.

    Attributes:
        began: when its library told it, Unix seconds.
        code: the server's word for it, 3000 and above; below, the library's own, for a connection
            that ended without a word.
        connected: when it had a connection again; infinite when it never had.
        ended: when it heard its room again.
    """

    began: float
    code: int
    connected: float = math.inf
    ended: float = math.inf

    @property
    def seconds(self) -> float:
        return self.ended - self.began


def absences_of(events: Iterable[Mapping[str, Any]], channel: str) -> list[Absence]:
    """
    Find a client's absences.

    Args:
        events: what its SDK told, in order (see `SdkClient`).
        channel: the room that counts.
    """
    found: list[Absence] = []
    away: Absence | None = None
    for event in events:
        match event["event"], event["channel"]:
            case (("connecting" | "disconnected"), "") if event["code"] != _ASKED:
                if away is not None:
                    # It was not back in its room yet.
                    found.append(away)
                away = Absence(event["at"], event["code"])
            case "connected", "" if away is not None:
                away = Absence(away.began, away.code, event["at"])
            case "subscribed", heard if away is not None and heard == channel:
                found.append(Absence(away.began, away.code, away.connected, event["at"]))
                away = None
    return found if away is None else [*found, away]


@dataclass(frozen=True)
class Returns:
    """
    How evenly clients came back.

    Attributes:
        times: when each had a connection again, Unix seconds.
        seconds: over how long they were sent away.
    """

    times: Sequence[float]
    seconds: float

    @property
    def per_second(self) -> float:
        """As many as were sent away each second, which is the mean if they come as they went."""
        return len(self.times) / max(1.0, self.seconds)

    @property
    def busiest_second(self) -> int:
        """How many came in the one second in which most of them did."""
        ordered = sorted(self.times)
        found = first = 0
        for last, time in enumerate(ordered):
            while ordered[first] <= time - 1:
                first += 1
            found = max(found, last - first + 1)
        return found
