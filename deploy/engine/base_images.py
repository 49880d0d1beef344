"""What Carillon's images are built on and run beside: fetched, or made from Debian's packages."""

import hashlib
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.engine.client import Engine
from deploy.engine.commands import CommandFailed, output, run
from deploy.stack.errors import StackError
from deploy.stack.programs import install

__all__ = ["OFFICIAL", "base_images"]

# By the variable that names each to `make images` and to docker-compose.yml.
OFFICIAL = {
    "PYTHON_IMAGE": "python:3.12-slim-bookworm",
    "NGINX_IMAGE": "nginx:1.28-bookworm",
    "POSTGRESQL_IMAGE": "postgres:17-bookworm",
    "RABBITMQ_IMAGE": "rabbitmq:4.2",
}
PULL_SECONDS = 300

SOURCES = Path(__file__).parent / "images"
# A name that no registry has: what stands in for an image never passes for it.
OURS = "carillon-base"

# Of an interpreter; what is never needed of a system stands in images/debian.
UNUSED = ("test", "idlelib", "tkinter", "turtledemo", "ensurepip/_bundled/setuptools*")


def base_images(engine: Engine, say: Callable[[str], None]) -> dict[str, str]:
    """
    See to it that the engine has all of them.

    Returns:
        What each is called there, by its variable; what the environment names is taken as it is.
    """
    names: dict[str, str] = {}
    registry_answers = True
    for variable, official in OFFICIAL.items():
        wanted = os.environ.get(variable, official)
        if not engine.has(wanted) and (registry_answers or variable in os.environ):
            say(f"Fetching {wanted}.")
            try:
                engine.run("pull", "--quiet", wanted, seconds=PULL_SECONDS)
            except CommandFailed as failed:
                if variable in os.environ:
                    raise
                registry_answers = False
                words = failed.words.splitlines()[-1:] or [""]
                say(f"No registry answers, so images are made here: {words[0][:100]}")
        names[variable] = wanted if engine.has(wanted) else MAKERS[variable](engine, say)
    return names


def made(name: str, recipe: Path) -> str:
    """Name an image of ours, by the system and the files that it is made of."""
    files = sorted(recipe.iterdir()) if recipe.is_dir() else [recipe]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    return f"{OURS}/{name}:{release()}-{digest[:8]}"


def release() -> str:
    """Name this machine's Debian: our interpreter fits to no other's libraries."""
    name = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    if not name:
        raise StackError(
            "Images can be made on Debian alone: set DOCKER_HOST to an engine's address."
        )
    return name


def debian(engine: Engine, say: Callable[[str], None]) -> str:
    """Make a small Debian."""
    image = made("debian", SOURCES / "debian")
    if engine.has(image):
        return image
    if os.geteuid() != 0:
        raise StackError("No registry answers, and only root may make images.")
    install({"debootstrap": "debootstrap"})
    say(f"Making {image} from {mirror()}.")
    with scratch() as folder:
        (folder / "root").mkdir()
        (folder / "sources.list").write_text(sources())
        run(
            *("unshare", "--mount", SOURCES / "debian" / "make", release(), mirror()),
            *(folder / "sources.list", folder / "root", folder / "tar"),
        )
        engine.run("import", "--change", 'CMD ["bash"]', folder / "tar", image)
    return image


def python(engine: Engine, say: Callable[[str], None]) -> str:
    """Make an image with the interpreter that runs this."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    image = made(f"python-{version}", SOURCES / "python")
    if engine.has(image):
        return image
    below = debian(engine, say)
    say(f"Making {image} with {sys.base_prefix}.")
    with scratch() as folder:
        shutil.copy(SOURCES / "python" / "Dockerfile", folder)
        packages = {"netbase", "tzdata", "ca-certificates"}
        (folder / "python").mkdir()
        if sys.base_prefix == "/usr":
            packages |= {"python3", "python3-venv"}
        else:
            copy_python(Path(sys.base_prefix), folder / "python")
            packages |= set(packages_of(libraries(folder / "python")))
        build(engine, image, folder, DEBIAN=below, PACKAGES=" ".join(sorted(packages)))
    return image


def copy_python(home: Path, target: Path) -> None:
    """Copy an installed interpreter without what a service never uses."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    shutil.copytree(
        home,
        target,
        symlinks=True,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("__pycache__", "*.a", "share", "site-packages"),
    )
    for pattern in UNUSED:
        for each in (target / "lib" / version).glob(pattern):
            remove(each)
    (target / "lib" / version / "site-packages").mkdir(parents=True, exist_ok=True)
    # Scripts of the packages that were left out, and the old place in the first lines of others.
    for path in (target / "bin").iterdir():
        if path.is_symlink() or path.read_bytes()[:2] != b"#!":
            continue
        if path.read_text().splitlines()[0].startswith(f"#!{home}"):
            path.unlink()


def libraries(python: Path) -> Iterator[str]:
    """Find what an interpreter and its modules are linked with, outside of itself."""
    binaries = [*python.glob("bin/python3*"), *python.glob("lib/python3*/lib-dynload/*.so")]
    binaries += python.glob("lib/libpython*.so*")
    for binary in binaries:
        if binary.is_symlink() or binary.read_bytes()[:4] != b"\x7fELF":
            continue
        for line in output("ldd", binary).splitlines():
            if (found := re.search(r"=> (/\S+)", line)) and not found[1].startswith(
                sys.base_prefix
            ):
                yield str(Path(found[1]).resolve())


def packages_of(files: Iterator[str]) -> Iterator[str]:
    """Name the Debian packages that files come from."""
    for file in sorted(set(files)):
        # dpkg knows them by the folders of before /usr was merged, or of after.
        for path in (file, file.removeprefix("/usr")):
            try:
                yield output("dpkg", "-S", path).splitlines()[0].split(":")[0]
            except CommandFailed:
                continue
            break


def from_debian(name: str) -> Callable[[Engine, Callable[[str], None]], str]:
    """Return what makes the image of a server out of its package."""

    def make(engine: Engine, say: Callable[[str], None]) -> str:
        image = made(name, SOURCES / name)
        if not engine.has(image):
            below = debian(engine, say)
            say(f"Making {image}.")
            build(engine, image, SOURCES / name, DEBIAN=below)
        return image

    return make


MAKERS = {
    "PYTHON_IMAGE": python,
    "NGINX_IMAGE": from_debian("nginx"),
    "POSTGRESQL_IMAGE": from_debian("postgresql"),
    "RABBITMQ_IMAGE": from_debian("rabbitmq"),
}


def build(engine: Engine, image: str, folder: Path, **arguments: str) -> None:
    words = [
        word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")
    ]
    engine.run("build", "--progress", "plain", "--tag", image, *words, folder)


def mirror() -> str:
    """Find where this machine gets its own packages."""
    found = targets("$(REPO_URI)", release())
    return found[0] if found else "http://deb.debian.org/debian"


def sources() -> str:
    """Write apt's list for the image: this machine's own, updates for security included."""
    form = "deb $(REPO_URI) $(RELEASE) $(COMPONENT)"
    parts = [release(), f"{release()}-updates", f"{release()}-security"]
    lines = [line for part in parts for line in targets(form, part)]
    return "".join(f"{line}\n" for line in lines) or f"deb {mirror()} {release()} main\n"


def targets(form: str, codename: str) -> list[str]:
    """Ask apt where it gets the main part of a release from."""
    lines = output(
        *("apt-get", "indextargets", "--format", form),
        *("Created-By: Packages", f"Codename: {codename}", "Component: main"),
    ).splitlines()
    return sorted({line.strip() for line in lines if line.strip()})


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that goes away."""
    folder = Path(tempfile.mkdtemp(prefix="carillon-image-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
