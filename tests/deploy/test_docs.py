"""
The documents: what they link to is there, and what they name exists in the code.

They are read as text, so a rename that forgot them is found in a second.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.core.management import get_commands

ROOT = Path(__file__).resolve().parents[2]
DOCS = sorted(ROOT.glob("docs/*.md"))
README = ROOT / "README.md"
PAGES = [README, *DOCS]

# Where names of variables are read: Python has them in quotes, other files as they are.
PYTHON = ("services", "shared", "deploy", "tests")
FILES = ("Makefile", "Dockerfile", "docker-compose.yml", ".dockerignore", "manage.py")

FENCE = re.compile(r"^ *(```|~~~)")
HEADING = re.compile(r"^#{1,6} +(.*?) *#*$")
LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)")
VARIABLE = re.compile(r"\b(?:CARILLON_[A-Z0-9_]+|DATABASE_URL|BROKER_URL|PROMETHEUS_MULTIPROC_DIR)")
METRIC = re.compile(r"(?<![\w:/.#-])carillon_[a-z][a-z0-9_]*")
# What Prometheus makes of a histogram.
DERIVED = re.compile(r"_(?:bucket|sum|count)$")
CITED = re.compile(r"`((?:services|shared|deploy|tests|requirements)/[^`\s*<>{}$…]*)`")
COMMAND = re.compile(r"(?:manage\.py |make manage ARGS=\")([a-z][a-z_]+)")
TARGET = re.compile(r"(?:^|[;&|]) *make ([a-z][a-z-]+)")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def pages(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", paths, ids=name_of)


def prose(page: Path) -> Iterator[str]:
    """Give the lines that are no code."""
    is_code = False
    for line in page.read_text().splitlines():
        if FENCE.match(line):
            is_code = not is_code
        elif not is_code:
            yield line


def code(page: Path) -> Iterator[str]:
    """Give what is code: the lines of blocks without their comments, and what has backticks."""
    is_code = False
    for line in page.read_text().splitlines():
        if FENCE.match(line):
            is_code = not is_code
        elif is_code or line.startswith("    "):
            yield line.partition("#")[0]
        else:
            yield from re.findall(r"`([^`]+)`", line)


def slug(heading: str) -> str:
    """Return a heading's anchor, as GitHub makes it."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", words.strip().lower()).replace(" ", "-")


@cache
def anchors(page: Path) -> set[str]:
    """Return all anchors of a page; a heading that is there again gets a number."""
    found: set[str] = set()
    times: Counter[str] = Counter()
    for line in prose(page):
        if match := HEADING.match(line):
            anchor = slug(match[1])
            found.add(f"{anchor}-{times[anchor]}" if times[anchor] else anchor)
            times[anchor] += 1
    return found


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Give the file and the anchor of each link that stays in the repository."""
    # What stands between backticks is an example; a link may go on in the next line.
    text = re.sub(r"`[^`]*`", "", "\n".join(prose(page)))
    for match in LINK.finditer(text):
        address, _, anchor = match[1].partition("#")
        if not re.match(r"[a-z]+:", address):
            yield ((page.parent / address).resolve() if address else page), anchor


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        for place, below, files in os.walk(ROOT / folder):
            # What is made or installed there is not ours, and much.
            below[:] = [name for name in below if name not in {"node_modules", "__pycache__"}]
            yield from (Path(place, name) for name in files)


@cache
def known_variables() -> set[str]:
    found: set[str] = set()
    for path in sources(*PYTHON):
        if path.name.startswith("test_docs") or path.stat().st_size > 1_000_000:
            continue
        text = path.read_text(errors="replace")
        if path.suffix == ".py":
            text = " ".join(re.findall(r"""["']([A-Z][A-Z0-9_]+)["'=]""", text))
        found |= set(VARIABLE.findall(text))
    for name in FILES:
        if (ROOT / name).exists():
            found |= set(VARIABLE.findall((ROOT / name).read_text()))
    return found


def kind_of(metric: str) -> str:
    return metric.split("_")[1]


@cache
def known_metrics() -> set[str]:
    """Return what our code and rules call `carillon_...` in quotes, metrics first of all."""
    code = (path for path in sources("services", "shared", "deploy") if path.suffix == ".py")
    return {
        name for path in code for name in re.findall(r'"(carillon_[a-z0-9_]+)"', path.read_text())
    }


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("What is *not* protected", "what-is-not-protected"),
        ("CARILLON_SECRET_KEY", "carillon_secret_key"),
        ("1,000,000 connections (X): not one", "1000000-connections-x-not-one"),
        ("`connect`, and [so on](x.md#y)", "connect-and-so-on"),
    ],
)
def test_anchors_are_those_of_github(heading: str, anchor: str) -> None:
    """A heading's anchor is lower case, with hyphens for blanks and without other signs."""
    assert slug(heading) == anchor


@pages(PAGES)
def test_links_lead_somewhere(page: Path) -> None:
    """Each link within the repository names a file that is there, and a heading of it."""
    broken = []
    for path, anchor in links(page):
        if not path.exists():
            broken.append(f"{path.relative_to(ROOT)} is not there")
        elif anchor and path.suffix == ".md" and anchor not in anchors(path):
            broken.append(f"{name_of(path)} has no heading #{anchor}")
    assert not broken, f"{name_of(page)}: " + "; ".join(broken)


def test_every_page_is_linked() -> None:
    """Whoever begins at the README finds every page."""
    reached, waiting = {README}, [README]
    while waiting:
        for path, _ in links(waiting.pop()):
            if path not in reached and path.suffix == ".md" and path.exists():
                reached.add(path)
                waiting.append(path)
    lost = [name_of(page) for page in DOCS if page not in reached]
    assert not lost, f"no page links to {', '.join(lost)}"


@pages(PAGES)
def test_variables_exist(page: Path) -> None:
    """Each environment variable that is named is read somewhere."""
    named = set(VARIABLE.findall(page.read_text()))
    # One that ends so names all of its kind.
    unknown = {name for name in named - known_variables() if not name.endswith("_")}
    assert not unknown, f"{name_of(page)} names {', '.join(sorted(unknown))}, which nothing reads"


def test_variables_are_written_down() -> None:
    """Each environment variable that a service's settings read stands in docs/settings.md."""
    read: set[str] = set()
    settings = [*ROOT.glob("shared/settings/*.py"), *ROOT.glob("services/*/settings.py")]
    for path in [*settings, ROOT / "services/web/gunicorn.conf.py"]:
        read |= set(re.findall(r'env\.\w+\(\s*"([A-Z0-9_]+)"', path.read_text()))
        read |= set(
            re.findall(r'(?:text|integer|boolean|origins|path)\("([A-Z0-9_]+)"', path.read_text())
        )
    missing = {name for name in read if f"`{name}`" not in (ROOT / "docs/settings.md").read_text()}
    assert not missing, f"docs/settings.md lacks {', '.join(sorted(missing))}"


@pages(PAGES)
def test_metrics_exist(page: Path) -> None:
    """Each metric that is named is one of the code's."""
    # Others than metrics begin so, too: cookies, slots. Those of one kind share the second word.
    kinds = {kind_of(name) for name in known_metrics()}
    named = {name for name in METRIC.findall(page.read_text()) if kind_of(name) in kinds}
    unknown = {
        name
        for name in named
        if not {name, DERIVED.sub("", name)} & known_metrics() and not name.endswith("_")
    }
    assert not unknown, f"{name_of(page)} names {', '.join(sorted(unknown))}"


@pages(PAGES)
def test_cited_files_exist(page: Path) -> None:
    """Each file or folder of ours that stands between backticks is there."""
    cited = {match[1].rstrip("/") for match in CITED.finditer(page.read_text())}
    lost = [path for path in sorted(cited) if not (ROOT / path.partition(":")[0]).exists()]
    assert not lost, f"{name_of(page)} cites {', '.join(lost)}"


@pages(PAGES)
def test_commands_exist(page: Path) -> None:
    """Each command of manage.py is one that Django finds, and each of make a target."""
    lines = list(code(page))
    ours = {path.stem for path in ROOT.glob("*/*/management/commands/*.py")}
    commands = {name for line in lines for name in COMMAND.findall(line)}
    makefile = (ROOT / "Makefile").read_text()
    targets = {name for line in lines for name in TARGET.findall(line)}
    unknown = [f"manage.py {name}" for name in commands - ours - set(get_commands())]
    unknown += [f"make {name}" for name in targets if f"\n{name}:" not in makefile]
    assert not unknown, f"{name_of(page)} names {', '.join(sorted(unknown))}"
