"""What is looked at in a site: images, the file, rights, metrics, and how everybody ends."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from deploy.engine.commands import CommandFailed, output, run
from shared.telemetry.build import VERSION
from tests.compose.site import IMAGES, Container, Site
from tests.load.command import say
from tests.load.figures import Figure
from tests.processes import ROOT

__all__ = [
    "build_images",
    "check_as_operator",
    "check_containers",
    "check_file",
    "come_up",
    "complain",
    "end_when_told",
    "scrape",
]

OURS = ("web", "gateway", "worker", "nginx")


def build_images(site: Site) -> list[Figure]:
    """Build all four, with what this machine needs to reach its indexes."""
    environment = {**site.engine.environment, "DOCKER": site.engine.docker}
    if certificates := os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE"):
        environment["CARILLON_BUILD_CA"] = certificates
    # The script hands on what our own environment names, which pip prefers to its files, too.
    if "PIP_INDEX_URL" not in os.environ:
        with contextlib.suppress(CommandFailed):
            words = (sys.executable, "-m", "pip", "config", "get", "global.index-url")
            environment["PIP_INDEX_URL"] = output(*words)
    if (npmrc := Path.home() / ".npmrc").exists():
        environment["NPM_CONFIG_USERCONFIG"] = str(npmrc)
    began = time.monotonic()
    for name in OURS:
        say(f"         {name}")
        run(ROOT / "deploy" / "images" / "build", name, env={**environment, "PROGRESS": "plain"})
    figures = [Figure("images built", time.monotonic() - began, "s")]
    for name in OURS:
        size = int(
            site.engine.output("image", "inspect", "-f", "{{.Size}}", f"{IMAGES}/{name}:{VERSION}")
        )
        figures.append(Figure(f"image {name}", size / 1e6, "MB"))
    return figures


def check_file(site: Site) -> list[Figure]:
    """The file is complete with every profile, and says what to do where there is no env file."""
    services = site.compose("--profile", "*", "config", "--services").split()
    site.set(CARILLON_TLS_FOLDER="/tls")
    files = ("-f", str(ROOT / "docker-compose.yml"), "-f", str(ROOT / "deploy/compose/tls.yml"))
    with_tls = site.compose(*files, "config", "--format", "json")
    ports = json.loads(with_tls)["services"]["nginx"]["ports"]
    refused = ""
    try:
        site.compose("config", env_file=Path(os.devnull))
    except CommandFailed as failed:
        refused = failed.words
    return [
        Figure("services, those of monitoring included", len(services), "", at_least=14),
        Figure("ports with TLS", len(ports), "", 2, 2),
        Figure("without .env: refused with what to do", "make-env" in refused, "", 1, 1),
    ]


def come_up(site: Site) -> list[Figure]:
    seconds = site.up()
    wrong = site.unhealthy()
    complain(wrong)
    return [
        Figure("all healthy after", seconds, "s"),
        Figure("containers", len(site.containers()), "", at_least=10),
        Figure("not healthy", len(wrong), "", 0, 0),
    ]


def check_containers(site: Site) -> list[Figure]:
    """Nobody is root, may write to the root file system, or has a right of the kernel's."""
    wrong = [words for c in site.containers() for words in _unsafe(site, c)]
    complain(wrong)
    return [Figure("containers with more rights than they need", len(wrong), "", 0, 0)]


def _unsafe(site: Site, container: Container) -> Iterator[str]:
    if site.inspect(container.name, "json .HostConfig.CapDrop") != '["ALL"]':
        yield f"{container.name} keeps rights of the kernel's"
    if site.inspect(container.name, "json .HostConfig.ReadonlyRootfs") != "true":
        yield f"{container.name} may write everywhere"
    if container.state != "running":
        return
    if site.execute(container.name, "id", "-u") == "0":
        yield f"{container.name} runs as root"
    for tool in ("pip", "gcc", "npm", "node"):
        with contextlib.suppress(CommandFailed):
            site.execute(container.name, "sh", "-c", f"command -v {tool}")
            yield f"{container.name} has {tool}"


def check_as_operator(site: Site) -> list[Figure]:
    """`realtime_check` finds nothing wrong in a web container."""
    try:
        words = site.ask("realtime_check")
    except CommandFailed as failed:
        words = failed.words
    wrong = [line for line in words.splitlines() if line.startswith(("error", "critical"))]
    complain([line for line in words.splitlines() if not line.startswith("looked")])
    return [Figure("errors that realtime_check finds", len(wrong), "", 0, 0)]


def scrape(site: Site) -> list[Figure]:
    """Whoever is in the private network, as Prometheus is, reads everybody's metrics."""
    jobs = yaml.safe_load((ROOT / "deploy/monitoring/prometheus.yml").read_text())["scrape_configs"]
    targets = [
        f"{name}:{found['port']}"
        for job in jobs
        for found in job.get("dns_sd_configs", [])
        for name in found["names"]
    ] + ["rabbitmq:15692", "nginx:9000"]
    inside = site.containers("worker")[0].name
    silent = []
    for target in targets:
        path = "status" if target.startswith("nginx") else "metrics"
        # The exporter of nginx is where nginx is, and that is not here.
        container = site.containers("web")[0].name if target.startswith("nginx") else inside
        code = f"from urllib.request import urlopen; urlopen('http://{target}/{path}', timeout=5)"
        try:
            site.execute(container, "python", "-c", code)
        except CommandFailed as failed:
            silent.append(f"{target}: {failed.words.splitlines()[-1:]}")
    complain(silent)
    return [Figure("targets of Prometheus that do not answer", len(silent), "", 0, 0)]


def end_when_told(site: Site) -> list[Figure]:
    """Each first process takes its signal, and ends by itself in the time that it has."""
    began = time.monotonic()
    site.compose("stop")
    seconds = time.monotonic() - began
    codes = {c.name: site.inspect(c.name, ".State.ExitCode") for c in site.containers()}
    wrong = [f"{name} ended with {code}" for name, code in codes.items() if code != "0"]
    complain(wrong)
    return [
        Figure("all have ended after", seconds, "s"),
        Figure("killed, or ended otherwise than they should", len(wrong), "", 0, 0),
    ]


def complain(words: Sequence[str]) -> None:
    """Say what is wrong, the first of it."""
    for each in words[:20]:
        say(f"  {each}")
