"""What the image's entrypoint makes of its environment; no nginx is needed for that."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from deploy.stack.layout import Layout
from deploy.stack.nginx import TEMPLATE, render, variables
from tests.deploy.nginx_environments import (
    ENTRYPOINT,
    KINDS,
    NEW,
    OLD,
    ORIGIN,
    RESOLVED,
    ROOT,
    TLS,
    Programs,
)

# Texts that would end a word, a line or a block, or name a variable, in nginx's configuration.
HOSTILE = [
    "x;",
    "x; include /etc/passwd",
    "x\nload_module y",
    "x y",
    'x"',
    "x'",
    "x}",
    "x{",
    "$host",
    "${CARILLON_NGINX_WEB}",
    "#x",
    "x\\",
    "x\x7f",
    "x\u00e9",
]


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"CARILLON_PUBLIC_ORIGINS": ""}, "CARILLON_PUBLIC_ORIGINS is not set: write where people"),
        ({"CARILLON_PUBLIC_ORIGINS": " , "}, "CARILLON_PUBLIC_ORIGINS is not set"),
        ({"CARILLON_PUBLIC_ORIGINS": "chat.test"}, "has 'chat.test': write exact origins"),
        ({"CARILLON_PUBLIC_ORIGINS": "*"}, "has '*': write exact origins"),
        ({"CARILLON_PUBLIC_ORIGINS": "http://*.test"}, "write exact origins"),
        ({"CARILLON_PUBLIC_ORIGINS": "http://a.test/chat"}, "write exact origins"),
        ({"CARILLON_PUBLIC_ORIGINS": "http://a.test:0"}, "write exact origins"),
        ({"CARILLON_PUBLIC_ORIGINS": "http://a.test:65536"}, "write exact origins"),
        ({"CARILLON_PUBLIC_ORIGINS": "http://u@a.test"}, "write exact origins"),
        ({"CARILLON_PUBLIC_ORIGINS": "http://[::1"}, "write exact origins"),
        ({"CARILLON_PUBLIC_ORIGINS": "http://1.2.3"}, "write exact origins"),
        ({"CARILLON_NGINX_WEB": "web"}, "CARILLON_NGINX_WEB has 'web': write host:port, such as"),
        ({"CARILLON_NGINX_WEB": "web:http"}, "has 'web:http': write host:port"),
        ({"CARILLON_NGINX_WEB": "web:0"}, "write host:port"),
        ({"CARILLON_NGINX_WEB": "http://web:8000"}, "write host:port"),
        ({"CARILLON_NGINX_WEB": "::1:8000"}, "write host:port"),
        ({"CARILLON_NGINX_WEB": "256.0.0.1:8000"}, "write host:port"),
        ({"CARILLON_NGINX_GATEWAYS": "a:1,b"}, "CARILLON_NGINX_GATEWAYS has 'b': write host:port"),
        ({"CARILLON_NGINX_GATEWAYS": ","}, "CARILLON_NGINX_GATEWAYS is empty: write host:port"),
        (
            {"CARILLON_NGINX_GATEWAYS": "a:1", "CARILLON_GATEWAY_RESOLVE": "a:1"},
            "CARILLON_GATEWAY_RESOLVE and CARILLON_NGINX_GATEWAYS are both set: write one.",
        ),
        (
            {"CARILLON_GATEWAY_RESOLVE": "gateway"},
            "CARILLON_GATEWAY_RESOLVE is 'gateway': write a name and a port, such as gateway:8000.",
        ),
        ({"CARILLON_GATEWAY_RESOLVE": "10.0.0.1:8000"}, "write a name and a port"),
        (
            {"CARILLON_GATEWAY_RESOLVE": "gateway:8000", "CARILLON_NGINX_RESOLVER": "a b"},
            "CARILLON_NGINX_RESOLVER has 'a b': write the address of a DNS server",
        ),
        (
            {"CARILLON_GATEWAY_RESOLVE": "gateway:8000", "CARILLON_NGINX_RESOLVER": "1.1.1.1:x"},
            "CARILLON_NGINX_RESOLVER has '1.1.1.1:x'",
        ),
        ({"CARILLON_NGINX_PROXIES": "ingress"}, "has 'ingress': write addresses or networks such"),
        ({"CARILLON_NGINX_PROXIES": "10.0.0.1/8"}, "has '10.0.0.1/8': write addresses or networks"),
        ({"CARILLON_NGINX_PROXIES": "10.0.0.0/33"}, "write addresses or networks"),
        ({"CARILLON_NGINX_PROXIES": "10.0.0/8"}, "write addresses or networks"),
        ({"CARILLON_NGINX_PROXIES": "10.0.0.0/8/8"}, "write addresses or networks"),
        ({"CARILLON_NGINX_PROXIES": "fd00::/129"}, "write addresses or networks"),
        ({"CARILLON_NGINX_PROXIES": "fd00:::/8"}, "write addresses or networks"),
        ({"CARILLON_NGINX_PROXIES": "1:2:3:4:5:6:7"}, "write addresses or networks"),
        ({"CARILLON_NGINX_PROXIES": "0.0.0.0/0"}, "has '0.0.0.0/0': everybody would be believed"),
        ({"CARILLON_NGINX_PROXIES": "::/0"}, "has '::/0': everybody would be believed"),
        (
            {"CARILLON_NGINX_TLS_KEY": "/tls/tls.key"},
            "CARILLON_NGINX_TLS_CERTIFICATE and CARILLON_NGINX_TLS_KEY belong together: set both",
        ),
        (
            TLS | {"CARILLON_NGINX_TLS_KEY": "tls.key"},
            "CARILLON_NGINX_TLS_KEY is 'tls.key': write an absolute path",
        ),
        (
            TLS | {"CARILLON_PUBLIC_ORIGINS": "http://a.test"},
            "has 'http://a.test': with CARILLON_NGINX_TLS_CERTIFICATE write origins with https",
        ),
        (
            TLS | {"CARILLON_PUBLIC_ORIGINS": "https://a.test,https://b.test:8443"},
            "CARILLON_PUBLIC_ORIGINS has more than one port",
        ),
        (
            {"CARILLON_NGINX_PORT": "70000"},
            "CARILLON_NGINX_PORT is '70000': write a whole number from 1 to 65535.",
        ),
        ({"CARILLON_NGINX_PORT": "9000"}, "and CARILLON_INTERNAL_PORT must differ."),
        ({"CARILLON_NGINX_TLS_PORT": "443s"}, "CARILLON_NGINX_TLS_PORT is '443s': write a whole"),
        ({"CARILLON_INTERNAL_PORT": "-1"}, "CARILLON_INTERNAL_PORT is '-1': write a whole number"),
        (
            {"CARILLON_INTERNAL_HOST": "localhost"},
            "CARILLON_INTERNAL_HOST is 'localhost': write an address, such as 127.0.0.1.",
        ),
        (
            {"CARILLON_NGINX_CONNECTIONS_PER_IP": "many"},
            "CARILLON_NGINX_CONNECTIONS_PER_IP is 'many': write a whole number from 1 to 65535.",
        ),
        (
            {"CARILLON_NGINX_HANDSHAKES_PER_SECOND": "0"},
            "CARILLON_NGINX_HANDSHAKES_PER_SECOND is '0': write a whole number from 1 to 100000.",
        ),
        (
            {"CARILLON_NGINX_WORKERS": "auto"},
            "CARILLON_NGINX_WORKERS is 'auto': write a whole number from 1 to 512.",
        ),
        ({"CARILLON_NGINX_STATE": "state"}, "CARILLON_NGINX_STATE is 'state': write an absolute"),
        ({"CARILLON_NGINX_STATE": " /tmp/x"}, "CARILLON_NGINX_STATE is ' /tmp/x': write an"),
        ({"CARILLON_STATIC_ROOT": "/srv/$x"}, "CARILLON_STATIC_ROOT is '/srv/$x': write an"),
        ({"CARILLON_NGINX_ACCESS_LOG": "off"}, "CARILLON_NGINX_ACCESS_LOG is 'off': write an"),
    ],
)
def test_wrong_value(programs: Programs, settings: dict[str, str], sentence: str) -> None:
    """One sentence that names the variable and says what to write, and nothing is rendered."""
    refusal = programs.refusal(ORIGIN | settings)
    assert sentence in refusal
    assert len(refusal.splitlines()) == 1


@pytest.mark.parametrize(
    "name",
    [
        "CARILLON_PUBLIC_ORIGINS",
        "CARILLON_NGINX_WEB",
        "CARILLON_NGINX_GATEWAYS",
        "CARILLON_GATEWAY_RESOLVE",
        "CARILLON_NGINX_RESOLVER",
        "CARILLON_NGINX_PROXIES",
        "CARILLON_NGINX_TLS_CERTIFICATE",
        "CARILLON_NGINX_CONNECTIONS_PER_IP",
        "CARILLON_NGINX_PORT",
        "CARILLON_INTERNAL_HOST",
        "CARILLON_STATIC_ROOT",
        "CARILLON_NGINX_STATE",
        "CARILLON_NGINX_ACCESS_LOG",
    ],
)
def test_values_inject_nothing(programs: Programs, name: str) -> None:
    """What nginx would take for more than a word is refused in every variable, in one line."""
    forms = {
        "CARILLON_PUBLIC_ORIGINS": "https://{}",
        "CARILLON_NGINX_WEB": "{}:8000",
        "CARILLON_NGINX_GATEWAYS": "{}:8000",
        "CARILLON_GATEWAY_RESOLVE": "{}:8000",
        "CARILLON_NGINX_TLS_CERTIFICATE": "/{}",
        "CARILLON_STATIC_ROOT": "/{}",
        "CARILLON_NGINX_STATE": "/{}",
        "CARILLON_NGINX_ACCESS_LOG": "/{}",
    }
    others = {
        "CARILLON_NGINX_RESOLVER": RESOLVED,
        "CARILLON_NGINX_TLS_CERTIFICATE": TLS,
    }
    for text in HOSTILE:
        settings = others.get(name, ORIGIN) | {name: forms.get(name, "{}").format(text)}
        assert len(programs.refusal(settings).splitlines()) == 1


def test_all_that_is_wrong(programs: Programs) -> None:
    """Every wrong value is told at once, each in a line of its own."""
    refusal = programs.refusal({"CARILLON_NGINX_WEB": "web", "CARILLON_NGINX_PORT": "x"})
    assert [line.split()[0] for line in refusal.splitlines()] == [
        "CARILLON_PUBLIC_ORIGINS",
        "CARILLON_NGINX_PORT",
        "CARILLON_NGINX_WEB",
    ]


def test_no_resolver(programs: Programs, tmp_path: Path) -> None:
    """A name that nobody can be asked about is refused."""
    resolv = tmp_path / "resolv.conf"
    settings = ORIGIN | {"CARILLON_GATEWAY_RESOLVE": "gateway:8000"}
    for text in ("", "search example.org\n", "nameserver fe80::1%eth0\n", "nameserver\n"):
        resolv.write_text(text)
        refused = programs.awk(
            "checks.awk", "settings.awk", "render.awk", settings=settings, resolv=str(resolv)
        )
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr == (
            f"CARILLON_NGINX_RESOLVER is not set and {resolv} has no server: write the address of "
            "a DNS server, such as 10.96.0.10, or leave CARILLON_GATEWAY_RESOLVE out.\n"
        )


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("# a comment\nnameserver 127.0.0.11\noptions ndots:0\n", "127.0.0.11"),
        ("nameserver fe80::1%eth0\nnameserver\tfd00::53\nnameserver 10.0.0.1\n", "[fd00::53]"),
    ],
)
def test_resolver_of_the_container(
    programs: Programs, tmp_path: Path, text: str, server: str
) -> None:
    """Unless told otherwise nginx asks the first server of resolv.conf that it can."""
    resolv = tmp_path / "resolv.conf"
    resolv.write_text(text)
    settings = ORIGIN | {"CARILLON_GATEWAY_RESOLVE": "gateway:8000"}
    rendered = programs.awk(
        "checks.awk", "settings.awk", "render.awk", settings=settings, resolv=str(resolv)
    )
    assert f"resolver {server} valid=2s;" in rendered.stdout


def test_too_few_files(programs: Programs) -> None:
    """Each WebSocket takes two; what is allowed is used, and far too little refused."""
    script = f'ulimit -n "$0" && exec {ENTRYPOINT} --print'

    def under(limit: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", script, limit],
            env=programs.environment(ORIGIN, OLD),
            capture_output=True,
            text=True,
        )

    assert under("1023").stderr == (
        "nginx may open 1023 files: it needs 1024 at least (ulimit -Hn), two for each WebSocket.\n"
    )
    assert "worker_connections 512;" in under("1024").stdout


def test_root(programs: Programs) -> None:
    """nginx never runs as root."""
    programs.write("id", "echo 0")
    refusal = programs.refusal(ORIGIN, "-t")
    assert refusal == "nginx would run as root: start it as another user, such as 10001.\n"


def test_no_nginx(programs: Programs) -> None:
    """Without the program there is one sentence, not a shell's."""
    programs.write("nginx", "exit 127")
    assert (
        programs.refusal(ORIGIN) == "nginx is not there: install it, or put its folder on PATH.\n"
    )


def test_folder_that_cannot_be_written(programs: Programs, tmp_path: Path) -> None:
    """The sentence names the variable, whatever else the shell says."""
    programs.write("id", "echo 10001")
    (tmp_path / "file").touch()
    refusal = programs.refusal(ORIGIN | {"CARILLON_NGINX_STATE": f"{tmp_path}/file/state"}, "-t")
    assert "CARILLON_NGINX_STATE cannot be made: mount a folder that can be written." in refusal


def test_log_that_cannot_be_written(programs: Programs, tmp_path: Path) -> None:
    """As a file in a folder that is not there, or a stdout that is no file."""
    programs.write("id", "echo 10001")
    log = f"{tmp_path}/nowhere/access.log"
    refusal = programs.refusal(ORIGIN | {"CARILLON_NGINX_ACCESS_LOG": log}, "-t")
    assert refusal == (
        f"CARILLON_NGINX_ACCESS_LOG: user 10001 cannot write {log}: name a file that it can.\n"
    )


@pytest.mark.parametrize("says", [OLD, NEW], ids=["old", "new"])
@pytest.mark.parametrize("kind", KINDS)
def test_both_renderers(programs: Programs, kind: str, says: str) -> None:
    """awk makes of the same template and values what Python does."""
    tell = 'BEGIN { for (name in values) print name "=" values[name]; exit }'
    written = programs.awk("checks.awk", "settings.awk", tell, settings=KINDS[kind], says=says)
    values = dict(line.split("=", 1) for line in written.stdout.splitlines())
    text = render((ROOT / TEMPLATE).read_text(), values)
    rendered = programs.awk(
        "checks.awk", "settings.awk", "render.awk", settings=KINDS[kind], says=says
    )
    assert (rendered.stdout, rendered.stderr) == (text, "")
    assert "${" not in text
    assert "#if" not in text
    assert "#end" not in text


def test_both_renderers_for_plain_processes(programs: Programs) -> None:
    """The same for the values of `make stack`."""
    with Layout.temporary() as layout:
        values = variables(layout, {})
    take = "BEGIN { for (name in ENVIRON) values[name] = ENVIRON[name] }"
    text = render((ROOT / TEMPLATE).read_text(), values)
    assert text == programs.awk(take, "render.awk", settings=values).stdout
    values.pop("CARILLON_NGINX_WEB_POOL")
    refused = programs.awk(take, "render.awk", settings=values)
    assert refused.returncode == 1
    assert refused.stderr == (
        "The nginx template wants CARILLON_NGINX_WEB_POOL: give it a value.\n"
    )


def test_names_before_1_27_3(programs: Programs) -> None:
    """Older versions, and programs that only resemble nginx, ask again for names in variables."""
    for says in (
        OLD,
        "nginx version: nginx/1.27.2",
        "freenginx version: freenginx/1.29.0",
        "Angie version: Angie/1.10.0",
        "?",
    ):
        text = programs.rendered(RESOLVED, says)
        assert 'set $gateway "gateway:8000";' in text
        assert 'set $web "web:8000";' in text
        assert text.count("proxy_pass http://$gateway;") == 2
        assert text.count("proxy_pass http://$web;") == 4
        assert "upstream" not in [line.split()[0] for line in text.splitlines() if line.split()]


def test_names_since_1_27_3(programs: Programs) -> None:
    """Newer ones ask again by themselves, and choose the gateway with the fewest connections."""
    for says in ("nginx version: nginx/1.27.3", NEW, "nginx version: nginx/2.0.0"):
        text = programs.rendered(RESOLVED, says)
        assert "server gateway:8000 resolve max_fails=1 fail_timeout=1s;" in text
        assert "server gateway:8000 resolve max_fails=0;" in text
        assert "server web:8000 resolve max_fails=0;" in text
        assert text.count("least_conn;") == 2
        assert "resolver 127.0.0.11 valid=2s;" in text
        assert "set $" not in text


def test_one_address_for_all_gateways(programs: Programs) -> None:
    """It is tried three times; several addresses are what they are."""
    assert programs.rendered(KINDS["kubernetes"]).count("server carillon-gateway:8000 max_") == 6
    text = programs.rendered(ORIGIN | {"CARILLON_NGINX_GATEWAYS": "a:1,b:1"})
    assert (text.count("server a:1 max_"), text.count("server b:1 max_")) == (2, 2)


def test_web_with_a_fixed_address(programs: Programs) -> None:
    """An address is asked for nowhere, however gateways are found."""
    settings = RESOLVED | {"CARILLON_NGINX_WEB": "10.0.0.7:8000"}
    for says in (OLD, NEW):
        assert "        server 10.0.0.7:8000 max_fails=0;" in programs.rendered(settings, says)


def test_http_2(programs: Programs) -> None:
    """It is said in the words that the version of nginx does not warn of."""
    assert "listen 0.0.0.0:8443 ssl http2;" in programs.rendered(TLS)
    text = programs.rendered(TLS, NEW)
    assert "listen 0.0.0.0:8443 ssl;" in text
    assert text.count("http2 on;") == 2


def test_internal_port_elsewhere(programs: Programs) -> None:
    """It may be kept to one address, as where nginx is no container."""
    text = programs.rendered(ORIGIN | {"CARILLON_INTERNAL_HOST": "127.0.0.1"})
    assert "listen 127.0.0.1:9000;" in text
    assert "listen 0.0.0.0:9000;" not in text
