"""Environments of the image with nginx, and its entrypoint run on them without nginx."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from deploy.stack.layout import ROOT
from deploy.stack.nginx import TEMPLATE

__all__ = [
    "ENTRYPOINT",
    "KINDS",
    "NEW",
    "OLD",
    "ORIGIN",
    "RESOLVED",
    "ROOT",
    "TLS",
    "Programs",
]

ENTRYPOINT = ROOT / "deploy" / "nginx" / "entrypoint"

ORIGIN = {"CARILLON_PUBLIC_ORIGINS": "https://chat.example.org"}
RESOLVED = ORIGIN | {
    "CARILLON_GATEWAY_RESOLVE": "gateway:8000",
    "CARILLON_NGINX_RESOLVER": "127.0.0.11",
}
TLS = ORIGIN | {
    "CARILLON_NGINX_TLS_CERTIFICATE": "/tls/tls.crt",
    "CARILLON_NGINX_TLS_KEY": "/tls/tls.key",
}
KINDS = {
    "kubernetes": ORIGIN | {"CARILLON_NGINX_GATEWAYS": "carillon-gateway:8000"},
    "slots": ORIGIN | {"CARILLON_NGINX_GATEWAYS": "10.0.0.1:8000,10.0.0.1:8001, [fd00::1]:8000"},
    "compose": RESOLVED,
    "tls": TLS,
    "proxies": ORIGIN | {"CARILLON_NGINX_PROXIES": "10.0.0.0/8,fd00::/8,192.0.2.1"},
    "all": TLS
    | RESOLVED
    | {
        "CARILLON_NGINX_PROXIES": "10.0.0.0/8",
        "CARILLON_PUBLIC_ORIGINS": "https://Chat.Example.org:8443, https://[::1]:8443/",
        "CARILLON_NGINX_ACCESS_LOG": "/var/log/carillon.log",
    },
}
OLD, NEW = "nginx version: nginx/1.22.1", "nginx version: nginx/1.28.0"


class Programs:
    """Stand-ins for the few programs that the entrypoint asks about the machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("nginx", 'echo "$NGINX_STAND_IN" >&2')

    def write(self, name: str, script: str) -> None:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def environment(self, settings: Mapping[str, str], says: str) -> dict[str, str]:
        path = f"{self.folder}{os.pathsep}{os.environ['PATH']}"
        return {"PATH": path, "NGINX_STAND_IN": says, **settings}

    def ask(
        self, settings: Mapping[str, str], *arguments: str, says: str = OLD
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ENTRYPOINT, *arguments],
            env=self.environment(settings, says),
            capture_output=True,
            text=True,
            timeout=30,
        )

    def rendered(self, settings: Mapping[str, str], says: str = OLD) -> str:
        result = self.ask(settings, "--print", says=says)
        assert (result.returncode, result.stderr) == (0, "")
        return result.stdout

    def refusal(self, settings: Mapping[str, str], *arguments: str) -> str:
        result = self.ask(settings, *(arguments or ("--print",)))
        assert result.returncode == 1
        assert result.stdout == ""
        return result.stderr

    def awk(
        self, *programs: str, settings: Mapping[str, str], says: str = OLD, resolv: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run our awk programs, and others that are given as text, on the template."""
        files = []
        for number, program in enumerate(programs):
            path = ENTRYPOINT.parent / program
            if not program.endswith(".awk"):
                path = self.folder / f"{number}.awk"
                path.write_text(program)
            files += ["-f", str(path)]
        given = ["-v", "files=20000", "-v", "cores=2", "-v", f"resolv={resolv}"]
        return subprocess.run(
            ["awk", *given, *files, ROOT / TEMPLATE],
            env=self.environment(settings, "") | {"NGINX_SAYS": says, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            timeout=30,
        )
