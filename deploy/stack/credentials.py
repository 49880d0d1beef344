"""The secrets of one stack: made once, kept in its state folder, readable by its owner alone."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

__all__ = ["Credentials", "write_private"]


def secret() -> str:
    # Hexadecimal, because channels-rabbitmq does not decode percent signs in URLs.
    return secrets.token_hex(24)


@dataclass(frozen=True)
class Credentials:
    """One secret for each account."""

    django: str = field(default_factory=secret)
    erlang: str = field(default_factory=secret)
    # PostgreSQL's superuser and the owner of Carillon's database.
    superuser: str = field(default_factory=secret)
    database: str = field(default_factory=secret)
    # RabbitMQ accounts: one per role, and one that may look at everything.
    gateway: str = field(default_factory=secret)
    web: str = field(default_factory=secret)
    worker: str = field(default_factory=secret)
    operator: str = field(default_factory=secret)

    @classmethod
    def load(cls, state: Path) -> "Credentials":
        """Read the secrets of a state folder, or make them."""
        path = state / "credentials.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        names = {one.name for one in fields(cls)}
        credentials = cls(**{name: value for name, value in known.items() if name in names})
        if asdict(credentials) != known:
            write_private(path, json.dumps(asdict(credentials), indent=2) + "\n")
        return credentials


def write_private(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file that holds secrets; it is never readable by others, not even for a moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".draft")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    draft.replace(path)
