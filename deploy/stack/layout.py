"""Where a stack keeps its files and which ports it listens on."""

import random
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.stack.errors import StackError
from deploy.stack.probes import is_free

__all__ = ["MAX_GATEWAYS", "Layout", "WrongGateways", "state_folder"]

ROOT = Path(__file__).resolve().parents[2]

# nginx knows one fixed port per possible gateway, so that scaling never reloads it.
MAX_GATEWAYS = 16

# Ports that one stack may use, counted from its base port.
SPAN = 64


class WrongGateways(StackError):
    """Not a number of gateways that a stack can have."""

    def __init__(self, gateways: int | str) -> None:
        super().__init__(
            f"There can be 1 to {MAX_GATEWAYS} gateways, not {gateways}: "
            "write a number, such as GATEWAYS=3."
        )


@dataclass(frozen=True)
class Layout:
    """The places of one stack."""

    state: Path
    # Where people reach it.
    port: int
    # All other ports follow this one.
    base: int
    # For tests: accounts may do more, and nothing is worth keeping.
    sandbox: bool = False
    root: Path = ROOT

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Layout":
        """The stack of this checkout, moved by CARILLON_STATE_DIR, _PORT and _BASE_PORT."""
        return cls(
            state=state_folder(environment),
            port=port(environment, "CARILLON_PORT", 8080),
            base=port(environment, "CARILLON_BASE_PORT", 25_000),
        )

    @classmethod
    @contextmanager
    def temporary(cls) -> Iterator["Layout"]:
        """A stack that leaves nothing: a folder that goes away, and ports that are free."""
        with tempfile.TemporaryDirectory(prefix="carillon-") as folder:
            # The account of the database must be able to pass.
            Path(folder).chmod(0o711)
            base = free_base()
            yield cls(state=Path(folder) / "state", port=base + SPAN, base=base, sandbox=True)

    @property
    def origins(self) -> str:
        """Where browsers are, unless CARILLON_PUBLIC_ORIGINS says otherwise."""
        return f"http://127.0.0.1:{self.port},http://localhost:{self.port}"

    @property
    def postgresql(self) -> int:
        return self.base

    @property
    def amqp(self) -> int:
        return self.base + 1

    @property
    def erlang(self) -> int:
        return self.base + 2

    @property
    def epmd(self) -> int:
        return self.base + 3

    @property
    def management(self) -> int:
        return self.base + 4

    @property
    def rabbitmq_metrics(self) -> int:
        return self.base + 5

    @property
    def nginx_status(self) -> int:
        return self.base + 6

    @property
    def web(self) -> int:
        return self.base + 10

    @property
    def web_internal(self) -> int:
        return self.base + 11

    @property
    def worker_internal(self) -> int:
        return self.base + 12

    @property
    def beat_internal(self) -> int:
        return self.base + 13

    @property
    def bulk_internal(self) -> int:
        return self.base + 14

    def gateway(self, number: int) -> int:
        return self.base + 19 + number

    def gateway_internal(self, number: int) -> int:
        return self.base + 39 + number


def state_folder(environment: Mapping[str, str]) -> Path:
    return ROOT / environment.get("CARILLON_STATE_DIR", ".state")


def port(environment: Mapping[str, str], name: str, default: int) -> int:
    """Read a port number; there must be room for all ports above it."""
    text = environment.get(name, str(default))
    if not text.isdigit() or not 1 <= int(text) <= 65_535 - SPAN:
        raise StackError(f"{name} is {text!r}: write a number from 1 to {65_535 - SPAN}.")
    return int(text)


def free_base() -> int:
    """Find a run of free ports, below those that the kernel hands to outgoing connections."""
    while True:
        base = random.randrange(20_000, 32_000, SPAN + 1)  # noqa: S311 - no secret
        if all(is_free(port) for port in range(base, base + SPAN + 1)):
            return base
