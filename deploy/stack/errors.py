"""
What can go wrong, each as a sentence that says what to do next.

    StackError
    +-- MissingProgram
    +-- PortTaken
    +-- ServiceFailed
    +-- ServiceStuck
    +-- StackBusy
    +-- UnknownService
"""

from pathlib import Path

__all__ = [
    "MissingProgram",
    "PortTaken",
    "ServiceFailed",
    "ServiceStuck",
    "StackBusy",
    "StackError",
    "UnknownService",
]


class StackError(Exception):
    """The stack cannot do what was asked."""


class MissingProgram(StackError):
    """Programs of Debian packages are not on this machine."""

    def __init__(self, packages: list[str]) -> None:
        self.packages = packages

    def __str__(self) -> str:
        names = " ".join(self.packages)
        return (
            "Programs are missing: install them with "
            f"`apt-get install --no-install-recommends {names}`, or run make again as root."
        )


class PortTaken(StackError):
    """Another program listens on a port that a service needs."""

    def __init__(self, service: str, port: int, variable: str) -> None:
        self.service = service
        self.port = port
        self.variable = variable

    def __str__(self) -> str:
        return (
            f"Port {self.port} ({self.service}) is taken: stop the program that holds it, "
            f"or set {self.variable} to another number."
        )


class ServiceFailed(StackError):
    """A service ended, or was not ready in time; carries the end of its log."""

    def __init__(self, service: str, reason: str, log: Path, tail: str) -> None:
        self.service = service
        self.reason = reason
        self.log = log
        self.tail = tail

    def __str__(self) -> str:
        lines = "".join(f"    {line}\n" for line in self.tail.splitlines())
        return f"{self.service} {self.reason}. The end of {self.log}:\n{lines}"


class ServiceStuck(StackError):
    """A process outlived SIGKILL."""

    def __init__(self, service: str, pids: list[int]) -> None:
        self.service = service
        self.pids = pids

    def __str__(self) -> str:
        pids = ", ".join(map(str, self.pids))
        return f"{self.service} did not end, not even after SIGKILL: look at process {pids}."


class StackBusy(StackError):
    """Another command works on the same state folder."""

    def __init__(self, state: Path) -> None:
        self.state = state

    def __str__(self) -> str:
        return f"Another command works on {self.state}: wait for it to end, then try again."


class UnknownService(StackError):
    """No service has this name."""

    def __init__(self, name: str, known: list[str]) -> None:
        self.name = name
        self.known = known

    def __str__(self) -> str:
        return f"There is no service {self.name!r}: choose from {', '.join(self.known)}."
