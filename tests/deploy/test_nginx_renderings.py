"""Every rendering of the one template: nginx accepts it, and a linter finds nothing in it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.stack.layout import Layout
from deploy.stack.nginx import TEMPLATE, render, variables
from tests.deploy.nginx_certificates import Files
from tests.deploy.nginx_environments import KINDS, NEW, OLD, ROOT, Programs
from tests.deploy.nginx_front import SOCKET, Front

pytestmark = pytest.mark.servers

# What gixy says of our files, and why it stays so.
ARGUED = {
    "hsts_header": "Django sends it: it alone knows whether all origins have TLS, for how long",
    "status_page_exposed": "it is on a port of its own, which is never published; who may come to "
    "that in a cluster is a network policy's to say",
    "try_files_is_evil_too": "one look at the file system for each static file is what keeps "
    "folders from being answered with a redirect",
}


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with Front.temporary() as front:
        yield front


@pytest.mark.parametrize("kind", ["kubernetes", "slots", "compose", "tls", "proxies"])
async def test_nginx_accepts_it(front: Front, kind: str) -> None:
    """As the image's user, and without a warning."""
    slots = ",".join(f"127.0.0.1:{front.gateway_port + number}" for number in range(16))
    settings = {
        "kubernetes": {"CARILLON_NGINX_GATEWAYS": "localhost:8000"},
        "slots": {"CARILLON_NGINX_GATEWAYS": slots},
        "compose": front.resolved,
        "tls": Files(front).settings,
        "proxies": front.static | {"CARILLON_NGINX_PROXIES": "10.0.0.0/8,fd00::/8,192.0.2.1"},
    }[kind]
    await front.run(settings, "-t")
    assert front.process is not None
    async with asyncio.timeout(30):
        assert await front.process.wait() == 0, front.errors.read_text()
    assert "test is successful" in front.errors.read_text()
    assert "[warn]" not in front.errors.read_text()


async def test_files_are_where_they_may_be(front: Front) -> None:
    """All that is written lies in the one folder, and the configuration is for its owner alone."""
    await front.gateway()
    await front.start(front.static)
    folder = front.folder / "tmp" / "nginx"
    assert {path.name for path in folder.iterdir()} == {
        *("nginx.conf", "nginx.pid", "body", "proxy", "fastcgi", "uwsgi", "scgi"),
    }
    assert (folder / "nginx.conf").stat().st_mode & 0o777 == 0o600
    # Both go where a container's output goes.
    assert await front.where() == "127.0.0.1"
    assert front.errors.read_text() == ""


async def test_gateways_behind_one_address(front: Front) -> None:
    """A Service may lead to a full gateway twice; the third may have room."""
    refusals = 2

    async def service(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal refusals
        await reader.readuntil(b"\r\n\r\n")
        status = b"503 Service Unavailable" if refusals else b"200 OK"
        refusals -= 1
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(service, "127.0.0.1", front.gateway_port):
        await front.start(front.static)
        assert (await front.ask(SOCKET)).status == 200
    assert refusals == -1


async def test_what_is_public(front: Front) -> None:
    """Figures and probes are on the internal port, and there alone."""
    await front.web()
    await front.start(front.static)
    for path in ("/status", "/livez"):
        assert (await front.ask(path, port=front.internal_port)).status == 200
    for path in ("/", "/metrics", "/rooms/"):
        assert (await front.ask(path, port=front.internal_port)).status == 404
    for path in ("/livez", "/readyz", "/metrics", "/drain"):
        answer = await front.ask(path)
        assert answer.status == 404
        assert answer.headers["Server"] == "nginx"
    # For all that nginx knows a page of the web tier may have this name.
    assert "Active connections" not in (await front.ask("/status")).body.decode()


def test_linter(tmp_path: Path) -> None:
    """gixy has nothing to say of any rendering but what is argued here; and that it really says."""
    programs = Programs(tmp_path)
    texts = {
        f"{kind}-{version}": programs.rendered(settings, says)
        for kind, settings in KINDS.items()
        for version, says in (("old", OLD), ("new", NEW))
    }
    with Layout.temporary() as layout:
        template = (ROOT / TEMPLATE).read_text()
        texts["plain"] = render(template, variables(layout, {}))
    paths = [tmp_path / f"{name}.conf" for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        path.write_text(text)
    gixy = Path(sys.executable).with_name("gixy")
    # Medium severity and above.
    result = subprocess.run([gixy, "-ll", "-f", "json", *paths], capture_output=True, text=True)
    findings = json.loads(result.stdout)
    assert {Path(finding["path"]) for finding in findings} == set(paths), "it has not read them all"
    assert {finding["plugin"] for finding in findings} == set(ARGUED)
