"""What can go wrong, each as a sentence that says what to do next."""

__all__ = ["MissingProgram", "PortTaken", "StackError"]


class StackError(Exception):
    """The stack cannot do what was asked."""


class MissingProgram(StackError):
    """Programs of Debian packages are not on this machine."""

    def __init__(self, packages: list[str]) -> None:
        super().__init__(
            "Programs are missing: install them with `apt-get install --no-install-recommends "
            f"{' '.join(packages)}`, or run make again as root."
        )


class PortTaken(StackError):
    """Another program listens on a port that a service needs."""

    def __init__(self, service: str, port: int, variable: str) -> None:
        super().__init__(
            f"Port {port} ({service}) is taken: stop the program that holds it, "
            f"or set {variable} to another number."
        )
