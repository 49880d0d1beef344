"""Where the gateway's time goes: py-spy looks at it while it fans out, and while it accepts."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.stack.errors import StackError
from tests.load.fanout.peers import gateway
from tests.load.fanout.programs import Server, started
from tests.load.fanout.sizes import Sizes

__all__ = ["by_package", "profile", "self_times"]

PER_SECOND = 500
FAN_OUT_SECONDS = 10.0
TOP = 15
_PYTHON = {"asyncio", "collections", "concurrent", "email", "http", "json", "logging", "urllib"}
_START_SECONDS = 15.0
_END_SECONDS = 30.0


def profile(client: Path, folder: Path, sizes: Sizes) -> list[str]:
    """
    Profile a gateway's server, keep the samples, and return what the most of them are in.

    Raises:
        StackError: py-spy is not there, or may not look.
    """
    connections = sizes.connections[-1]
    peer = gateway()
    accepts, fan_out = folder / "accepts.raw", folder / "fanout.raw"
    with started(peer.name, peer.command, client) as (server, load):
        load.open(10)
        with _recorded(server, accepts):
            load.open(connections)
        with _recorded(server, fan_out):
            load.window(1, FAN_OUT_SECONDS)
    return [
        f"Fan-out, {connections:,} connections, W=1; share of the samples in the function itself:",
        *_lines(fan_out),
        "",
        f"Accepts, up to {connections:,}; likewise:",
        *_lines(accepts),
        "",
        f"All samples, with their stacks: {fan_out} and {accepts}",
    ]


def self_times(stacks: Iterable[str]) -> list[tuple[str, float]]:
    """
    Return functions and the share of samples that are in themselves, most first; pure.

    Args:
        stacks: py-spy's lines, "outer;inner COUNT".
    """
    counts: Counter[str] = Counter()
    for line in stacks:
        frames, _, count = line.rpartition(" ")
        if frames:
            counts[frames.rpartition(";")[2]] += int(count)
    total = counts.total()
    return [(name, count / total) for name, count in counts.most_common()]


def by_package(times: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    """Return packages and their shares, of names as "run (twisted/internet/tcp.py:9)"; pure."""
    shares: defaultdict[str, float] = defaultdict(float)
    for name, share in times:
        package, _, rest = name.rpartition("(")[2].partition("/")
        # What is in no folder is a module of Python's own.
        shares[package if rest and package not in _PYTHON else "Python"] += share
    return sorted(shares.items(), key=lambda pair: -pair[1])


def _lines(samples: Path) -> list[str]:
    times = self_times(samples.read_text().splitlines())
    packages = [f"{package} {share:.0%}" for package, share in by_package(times) if share > 0.005]
    return [
        *(f"{share:6.1%}  {name}" for name, share in times[:TOP]),
        f"By package: {', '.join(packages)}",
    ]


@contextmanager
def _recorded(server: Server, target: Path) -> Iterator[None]:
    command = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which(
        "py-spy"
    )
    if command is None:
        raise StackError("py-spy is not there: deploy/bootstrap bench installs it.")
    target.unlink(missing_ok=True)
    recorder = subprocess.Popen(
        [
            *(command, "record", "--pid", str(server.pid), "--output", str(target)),
            *("--format", "raw", "--function", "--rate", str(PER_SECOND)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Ctrl-C, which also is what ends it, is not for both of us.
        start_new_session=True,
    )
    try:
        _wait_until_sampling(recorder)
        yield
        recorder.send_signal(signal.SIGINT)
        words, _ = recorder.communicate(timeout=_END_SECONDS)
        if not target.exists():
            raise StackError(f"py-spy has kept nothing:\n{words}")
    finally:
        if recorder.poll() is None:
            recorder.kill()
            recorder.wait()


def _wait_until_sampling(recorder: subprocess.Popen[str]) -> None:
    assert recorder.stdout is not None
    began = time.monotonic()
    words = ""
    while "Sampling process" not in words:
        line = recorder.stdout.readline()
        words += line
        if not line or time.monotonic() - began > _START_SECONDS:
            raise StackError(
                "py-spy may not look at the server: run this as root, or allow it "
                f"(sysctl kernel.yama.ptrace_scope=0).\n{words}"
            )
