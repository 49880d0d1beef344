"""
`python -m deploy.systemd.roll`, as root: the version in the folder takes over, unit by unit.

What runs is restarted, each when the one before is ready: first the tables, then gateways, whose
clients come back to the others, then the rest. nginx stays: its end would cut every socket.
"""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from deploy.stack.errors import StackError
from deploy.stack.probes import answers

__all__ = ["Failed", "main", "roll", "steps"]

READY_SECONDS = 60.0
POLL_SECONDS = 0.2
GATEWAY = re.compile(r"carillon-gateway@(\d+)\.service")
# After the gateways, in this order, each with its internal port.
OTHERS = {"web": 9000, "worker": 9021, "bulk": 9022, "beat": 9023}
GATEWAYS = 9000

type Systemctl = Callable[..., str]
type Ready = Callable[[int], bool]


class Failed(StackError):
    """A unit did not get where it should."""

    def __init__(self, unit: str, what: str) -> None:
        super().__init__(
            f"{unit} {what}: what comes after it still runs the old version. "
            f"`journalctl -u {unit}` says more; mend it, then start again."
        )


def main() -> int:
    try:
        roll(systemctl, is_ready, lambda line: print(line, flush=True))
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def roll(systemctl: Systemctl, is_ready: Ready, say: Callable[[str], object]) -> None:
    """
    Restart one unit after the other.

    Args:
        systemctl: runs it with some arguments, and returns what it prints; raises StackError.
        is_ready: asks for so many seconds at most whether who has an internal port is ready.
        say: told of each unit.

    Raises:
        Failed: a unit did not start or was not ready in time; those after it were left alone.
    """
    pattern = ("--plain", "--no-legend", "--state=active", "carillon-*.service")
    running = [line.split()[0] for line in systemctl("list-units", *pattern).splitlines() if line]
    # Where it has not run since the host was started, too.
    for unit, port in [("carillon-migrate.service", None), *steps(running)]:
        began = time.monotonic()
        try:
            systemctl("restart", unit)
        except StackError as error:
            raise Failed(unit, "could not be started") from error
        if port is not None and not is_ready(port):
            raise Failed(unit, f"was not ready within {READY_SECONDS:.0f} s")
        say(f"{unit:<28} the new version after {time.monotonic() - began:.1f} s")


def steps(running: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Order what runs, each unit with its internal port."""
    numbers = sorted(int(match[1]) for unit in running if (match := GATEWAY.fullmatch(unit)))
    for number in numbers:
        yield f"carillon-gateway@{number}.service", GATEWAYS + number
    for name, port in OTHERS.items():
        if f"carillon-{name}.service" in running:
            yield f"carillon-{name}.service", port


def systemctl(*arguments: str) -> str:
    result = subprocess.run(["systemctl", *arguments], capture_output=True, text=True)
    if result.returncode != 0:
        raise StackError(result.stderr.strip() or f"systemctl {arguments[0]} failed")
    return result.stdout


def is_ready(port: int) -> bool:
    ready = answers(port, "/readyz")
    deadline = time.monotonic() + READY_SECONDS
    while not ready():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


if __name__ == "__main__":
    sys.exit(main())
