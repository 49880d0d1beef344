"""An engine that only we see, for as long as we need it."""

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_network
from pathlib import Path

from deploy.engine.client import Engine, client_that_builds
from deploy.engine.commands import output
from deploy.engine.footprint import PLACES, Footprint, engines
from deploy.stack.errors import StackError
from deploy.stack.programs import install

__all__ = ["private_engine"]

PACKAGES = {
    "docker.io": "dockerd",
    "debootstrap": "debootstrap",
    "iptables": "iptables-save",
    "iproute2": "ip",
}
# By their bits: for name spaces and mounts, and for bridges and rules.
CAPABILITIES = {"CAP_SYS_ADMIN": 21, "CAP_NET_ADMIN": 12}
LOCK = Path("/run/carillon-engine.lock")
# What was there before. A checkout may be removed while its rules stay; /run goes when they go.
RECORD = Path("/run/carillon-engine.json")
# Short, because of the sockets in it: their paths may have 107 characters.
PLACE = Path("/run/carillon-engine")
CGROUP = "carillon-engine"
START_SECONDS = 60.0
STOP_SECONDS = 40.0


@contextmanager
def private_engine(folder: Path, say: Callable[[str], None], *, keep: bool) -> Iterator[Engine]:
    """
    Start an engine, and leave nothing of it behind, whatever happens within.

    Args:
        folder: for its images and containers.
        say: is told what goes on.
        keep: leaves the folder, so that the next engine has its images.

    Raises:
        StackError: there cannot be one here, or it has left something.
    """
    if os.geteuid() != 0:
        raise StackError(
            "No Docker engine answers, and only root may start one: "
            "set DOCKER_HOST, or run make again as root."
        )
    if missing := capabilities_lacking(Path("/proc/self/status").read_text()):
        raise StackError(
            f"No Docker engine answers, and root may not start one here without "
            f"{' and '.join(missing)}: set DOCKER_HOST, or run this in a privileged container."
        )
    install(PACKAGES)
    with only_one():
        folder.mkdir(parents=True, exist_ok=True)
        if RECORD.exists():
            say("An earlier engine has ended without a word: what it left is taken away.")
            earlier = Footprint.from_json(RECORD.read_text())
            earlier.undo(Footprint.now([folder]))
        shutil.rmtree(PLACE, ignore_errors=True)
        PLACE.mkdir(mode=0o700)
        before = Footprint.now([folder, PLACE])
        # Whole or not at all: the next one reads it, should we be killed.
        draft = RECORD.with_suffix(".draft")
        draft.write_text(before.to_json())
        draft.rename(RECORD)
        try:
            yield from running(folder, say)
        finally:
            before.undo(Footprint.now([folder, PLACE]))
            remove_cgroups()
            shutil.rmtree(PLACE, ignore_errors=True)
            left = before.differences(Footprint.now([folder, PLACE]))
            left += [f"process {pid}" for pid in engines()]
            if not keep:
                shutil.rmtree(folder, ignore_errors=True)
            RECORD.unlink(missing_ok=True)
            if left:
                raise StackError("\n    ".join(["The engine has left something:", *left]))
            say("Nothing of the engine is left: no rule, no bridge, no mount, no process.")


def capabilities_lacking(status: str) -> list[str]:
    """Name what root lacks in a container, out of what the kernel says of a process."""
    [effective] = [line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")]
    return [name for name, bit in CAPABILITIES.items() if not int(effective, 16) >> bit & 1]


@contextmanager
def only_one() -> Iterator[None]:
    """Two engines would share one set of network rules, and each take the other's away."""
    with LOCK.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StackError("Another private engine runs: wait for its end.") from None
        if pids := engines():
            raise StackError(
                f"A Docker engine runs as process {pids[0]}: set DOCKER_HOST to its address."
            )
        yield


def running(folder: Path, say: Callable[[str], None]) -> Iterator[Engine]:
    """Start the engine, wait for it, give it, and end it with all its containers."""
    bridge, pool = networks()
    address = f"unix://{PLACE}/docker.sock"
    engine = Engine(client_that_builds(), {"DOCKER_HOST": address, "DOCKER_BUILDKIT": "1"})
    log = folder / "engine.log"
    process = start(
        *("--data-root", str(folder / "data"), "--exec-root", str(PLACE / "exec")),
        *("--pidfile", str(PLACE / "pid"), "--host", address),
        *("--bip", bridge, "--default-address-pool", f"base={pool},size=24"),
        *("--mtu", str(mtu()), "--cgroup-parent", f"/{CGROUP}"),
        # systemd knows nobody of our namespace, and would want a slice.
        *("--exec-opt", "native.cgroupdriver=cgroupfs"),
        # A newer engine would make rules that nobody here looks for.
        "--ip6tables=false",
        log=log,
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not engine.answers():
            if process.poll() is not None or time.monotonic() > deadline:
                words = log.read_text(errors="replace").splitlines()[-15:]
                raise StackError("\n    ".join(["The engine does not start:", *words]))
            time.sleep(0.1)
        say(f"A private engine runs at {address}.")
        yield engine
    finally:
        stop(process)


def start(*options: str, log: Path) -> subprocess.Popen[bytes]:
    """
    Start dockerd as the first process of a namespace.

    When it ends the kernel ends all that is in there: shims, containers, mounts. It ends with us,
    too, should we be killed.
    """
    # The first process must collect those that nobody else does, which dockerd would not.
    script = 'dockerd "$@" & daemon=$!; trap "kill $daemon" TERM; wait $daemon; wait $daemon'
    with log.open("wb") as output:
        return subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL"),
                *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
                *("sh", "-c", script, "engine", *options),
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the engine to end, then see to it."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    with suppress(OSError, ProcessLookupError):
        for pid in children.read_text().split():
            os.kill(int(pid), signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    deadline = time.monotonic() + STOP_SECONDS
    while engines() and time.monotonic() < deadline:
        time.sleep(0.1)


def networks() -> tuple[str, str]:
    """Choose addresses that nothing here has: of the engine's own bridge, and for all others."""
    words = [line.split()[0] for line in output("ip", "-4", "route").splitlines()]
    taken = [ip_network(word, strict=False) for word in words if word[0].isdigit()]
    for place in PLACES:
        network = ip_network(place)
        if not any(network.overlaps(other) for other in taken):
            bridge, *_ = network.subnets(new_prefix=24)
            pool = list(network.subnets(new_prefix=17))[1]
            return f"{bridge[1]}/24", str(pool)
    raise StackError(f"None of {', '.join(PLACES)} is free for a private engine's networks.")


def mtu() -> int:
    """Tell the largest packet that leaves this machine; larger ones would vanish on the way."""
    for line in output("ip", "-4", "route", "show", "default").splitlines():
        words = line.split()
        if "dev" in words:
            device = words[words.index("dev") + 1]
            return int(Path(f"/sys/class/net/{device}/mtu").read_text())
    return 1500


def remove_cgroups() -> None:
    """Remove the control groups of its containers, which are empty by now."""
    root = Path("/sys/fs/cgroup")
    if not root.is_dir():
        return
    for top in (root / CGROUP, *(each / CGROUP for each in root.iterdir() if each.is_dir())):
        for folder, _, _ in os.walk(top, topdown=False):
            with suppress(OSError):
                os.rmdir(folder)
