"""nginx as plain processes, and the rendering of its configuration."""

import os
import re
import resource
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from deploy.stack.credentials import write_private
from deploy.stack.errors import MissingProgram, StackError
from deploy.stack.layout import MAX_GATEWAYS, Layout
from deploy.stack.probes import answers
from deploy.stack.programs import find
from deploy.stack.service import Service

__all__ = ["nginx", "render", "variables"]

TEMPLATE = Path("deploy/nginx/carillon.conf.template")
CONNECTIONS = 65_535
# Names that are asked again and again, proxies in front and TLS are for containers:
# deploy/nginx/settings.awk.
FOR_CONTAINERS = (
    "CARILLON_NGINX_ASKED_GATEWAY",
    "CARILLON_NGINX_ASKED_WEB",
    "CARILLON_NGINX_HTTP2",
    "CARILLON_NGINX_LISTEN_TLS",
    "CARILLON_NGINX_PROXIES",
    "CARILLON_NGINX_RESOLVER",
    "CARILLON_NGINX_TLS_CERTIFICATE",
    "CARILLON_NGINX_TLS_KEY",
    "CARILLON_NGINX_TLS_SUFFIX",
)
VARIABLE = re.compile(r"\$\{(CARILLON_[A-Z0-9_]+)\}")


def render(template: str, values: Mapping[str, str]) -> str:
    """
    Fill in `${CARILLON_...}`; nginx's own variables stay as they are.

    deploy/nginx/render.awk, which does the same for containers, says what the template may hold
    besides.
    """

    def value(name: str) -> str:
        try:
            return values[name]
        except KeyError:
            raise StackError(f"The nginx template wants {name}: give it a value.") from None

    def fill(line: str, repeated: str = "", item: str = "") -> str:
        return VARIABLE.sub(lambda m: item if m[1] == repeated else value(m[1]), line)

    rendered: list[str] = []
    # Whether the lines of each open section are wanted, from the outermost to the innermost.
    sections: list[bool] = []
    repeated = ""
    for line in template.splitlines(keepends=True):
        match line.split():
            case ["#if", *negation, name]:
                sections.append(bool(value(name)) is not bool(negation))
            case ["#end"]:
                sections.pop()
            case _ if not all(sections):
                pass
            case ["#each", name]:
                repeated = name
            case _ if repeated:
                items = value(repeated).split(",") if value(repeated) else []
                rendered.extend(fill(line, repeated, item) for item in items)
                repeated = ""
            case _:
                rendered.append(fill(line))
    return "".join(rendered)


def variables(layout: Layout, settings: Mapping[str, str]) -> dict[str, str]:
    """Say what the template needs to know about a stack."""
    per_second = settings.get("CARILLON_NGINX_HANDSHAKES_PER_SECOND", "20")
    per_address = settings.get("CARILLON_NGINX_CONNECTIONS_PER_IP", "100")
    per_minute = settings.get("CARILLON_NGINX_PASSWORDS_PER_MINUTE", "60")
    for number in (per_second, per_address, per_minute):
        if not number.isdigit() or int(number) < 1:
            raise StackError(f"{number!r} is no limit for nginx: use a whole number above 0.")
    # Each WebSocket takes two files; the hard limit is not ours to raise.
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    connections = CONNECTIONS if files == resource.RLIM_INFINITY else min(CONNECTIONS, files // 2)
    slots = [f"127.0.0.1:{layout.gateway(number)}" for number in range(1, MAX_GATEWAYS + 1)]
    return {
        # Without it workers of root's nginx become another user, who may not read our folders.
        "CARILLON_NGINX_USER": "root root" if os.geteuid() == 0 else "",
        "CARILLON_NGINX_WORKERS": "auto",
        # From the folder that `-p` names: in an absolute path quotes would have to be escaped.
        "CARILLON_NGINX_STATE": ".",
        "CARILLON_NGINX_ACCESS_LOG": "../log/nginx-access.log",
        "CARILLON_NGINX_FILES": str(2 * connections),
        "CARILLON_NGINX_CONNECTIONS": str(connections),
        "CARILLON_NGINX_LISTEN": f"127.0.0.1:{layout.port}",
        "CARILLON_NGINX_SERVER_NAMES": server_names(
            settings.get("CARILLON_PUBLIC_ORIGINS") or layout.origins
        ),
        "CARILLON_NGINX_STATUS_LISTEN": f"127.0.0.1:{layout.nginx_status}",
        "CARILLON_NGINX_GATEWAYS": ",".join(slots),
        "CARILLON_NGINX_MAX_FAILS": "0",
        "CARILLON_NGINX_GATEWAY_POOL": "gateway",
        "CARILLON_NGINX_ANY_GATEWAY_POOL": "any_gateway",
        "CARILLON_NGINX_WEB": f"127.0.0.1:{layout.web}",
        "CARILLON_NGINX_WEB_POOL": "web",
        "CARILLON_NGINX_CONNECTIONS_PER_IP": per_address,
        "CARILLON_NGINX_HANDSHAKES_PER_SECOND": per_second,
        "CARILLON_NGINX_HANDSHAKES_BURST": str(10 * int(per_second)),
        "CARILLON_NGINX_PASSWORDS_PER_MINUTE": per_minute,
        "CARILLON_NGINX_PASSWORDS_BURST": str((int(per_minute) + 2) // 3),
        "CARILLON_STATIC_ROOT": "../static",
        **dict.fromkeys(FOR_CONTAINERS, ""),
    }


def server_names(origins: str) -> str:
    """List the hosts that browsers may ask for; all others are refused by nginx itself."""
    hosts = {urlsplit(origin.strip()).hostname or "" for origin in origins.split(",")}
    names = [f"[{host}]" if ":" in host else host for host in sorted(hosts)]
    for name in names:
        if not re.fullmatch(r"[\w.:\[\]-]+", name):
            raise StackError(
                f"CARILLON_PUBLIC_ORIGINS is {origins!r}: "
                "write exact origins such as https://chat.example.org."
            )
    return " ".join(names)


def nginx(
    layout: Layout, env: Mapping[str, str], settings: Mapping[str, str], needs: tuple[str, ...]
) -> Service:
    """
    Declare the server that people reach.

    Args:
        layout: where it keeps its files, and who listens where.
        env: what its processes are told.
        settings: CARILLON_PUBLIC_ORIGINS, CARILLON_NGINX_CONNECTIONS_PER_IP,
            CARILLON_NGINX_HANDSHAKES_PER_SECOND and CARILLON_NGINX_PASSWORDS_PER_MINUTE, where
            they are set.
        needs: the services that it waits for.
    """
    program = find("nginx")
    if program is None:
        raise MissingProgram(["nginx"])
    folder = layout.state / "nginx"
    if "$" in str(folder):
        raise StackError(
            f"nginx takes the `$` of {layout.state} for a variable: "
            "set CARILLON_STATE_DIR to a folder without one."
        )
    text = render((layout.root / TEMPLATE).read_text(), variables(layout, settings))
    path = folder / "nginx.conf"
    return Service(
        name="nginx",
        # stderr from the first line on: before it reads its file it would write to /var/log.
        command=(program, "-p", str(folder), "-e", "stderr", "-c", str(path)),
        env=env,
        needs=needs,
        ready=answers(layout.nginx_status, "/status"),
        ports={layout.port: "CARILLON_PORT", layout.nginx_status: "CARILLON_BASE_PORT"},
        prepare=lambda: write_private(path, text),
        content=text,
        address=f"http://127.0.0.1:{layout.port}",
        stop_seconds=10,
    )
