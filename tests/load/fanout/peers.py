"""The servers that are measured, each the same thing to its clients: /pub in, /sub out."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.load.fanout.nchan import MODULE
from tests.load.fanout.programs import HERE, compiled

__all__ = [
    "GATEWAY",
    "NCHAN",
    "REFERENCE",
    "TUTORIAL",
    "Peer",
    "gateway",
    "nchan",
    "node",
    "reference",
    "slow_gateway",
    "tutorial",
]

REFERENCE = "C, epoll"
GATEWAY = "gateway"
TUTORIAL = "tutorial"
NCHAN = "nchan"

WS = "ws@8.23.0"

# For npm and apt, from where the packages are, which may not be there.
_INSTALL_SECONDS = 60


@dataclass(frozen=True)
class Peer:
    """
    One server.

    Attributes:
        name: in the table.
        command: what starts it.
        environment: what it gets beside this process's.
        cells: the only connections and outstanding broadcasts that it is measured with; all if
            empty. One broadcast to thousands may take it seconds.
        has_rate: whether its latency is measured, as it can keep the rate up.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    cells: tuple[tuple[int, int], ...] = ()
    has_rate: bool = True


def reference(folder: Path) -> Peer:
    """The limit: a few lines of C that do nothing else."""
    return Peer(REFERENCE, (str(compiled(HERE / "reference.c", folder)),))


def gateway() -> Peer:
    """The gateway's own server, as a gateway starts it."""
    return Peer(GATEWAY, (sys.executable, "-m", "tests.load.fanout.server"))


def slow_gateway() -> Peer:
    """The same with every frame as an ASGI message: what it does where its self-test fails."""
    command = (sys.executable, "-m", "tests.load.fanout.server", "--slow")
    return Peer("gateway, ASGI sends", command, cells=((1_000, 1), (5_000, 1)), has_rate=False)


def tutorial(broker_url: str) -> Peer:
    """A stock Daphne with the tutorial's consumer, over channels-rabbitmq."""
    return Peer(
        TUTORIAL,
        (sys.executable, "-m", "tests.load.fanout.tutorial"),
        {"BROKER_URL": broker_url},
        cells=((1_000, 1), (5_000, 1), (5_000, 8)),
        has_rate=False,
    )


def node(folder: Path) -> Peer | None:
    """Node with `ws`, installed once into the folder; None where that cannot be done."""
    place = folder / WS
    if shutil.which("node") is None or shutil.which("npm") is None:
        return None
    if not (place / "node_modules" / "ws").exists():
        place.mkdir(parents=True, exist_ok=True)
        try:
            # Not into this project, which npm would look for in the folders above.
            _run("npm", "install", "--prefix", ".", "--no-audit", "--no-fund", WS, cwd=place)
        except subprocess.SubprocessError:
            return None
    return Peer(WS, ("node", str(HERE / "peer.js")), {"NODE_PATH": str(place / "node_modules")})


def nchan(folder: Path) -> Peer | None:
    """nginx with Debian's nchan, unpacked into the folder; None where that cannot be done."""
    place = folder / "nchan"
    if not all(map(shutil.which, ("nginx", "apt-get", "dpkg-deb"))):
        return None
    if not (place / MODULE).exists():
        place.mkdir(parents=True, exist_ok=True)
        try:
            _run("apt-get", "download", "-qq", "libnginx-mod-nchan", cwd=place)
            (package,) = place.glob("libnginx-mod-nchan_*.deb")
            _run("dpkg-deb", "-x", package.name, ".", cwd=place)
        except (subprocess.SubprocessError, ValueError):
            return None
    return Peer(NCHAN, (sys.executable, "-m", "tests.load.fanout.nchan", str(place)))


def _run(*command: str, cwd: Path) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=_INSTALL_SECONDS, cwd=cwd)
