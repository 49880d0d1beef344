"""nginx itself, in front of stand-ins that tell what reached them."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace

import pytest

from deploy.stack.errors import StackError
from deploy.stack.layout import Layout
from deploy.stack.nginx import TEMPLATE, nginx, render, variables
from deploy.stack.supervisor import Supervisor
from tests.stack.conftest import ENV, echo

pytestmark = pytest.mark.servers

SETTINGS = {
    "CARILLON_PUBLIC_ORIGINS": "http://chat.test,http://127.0.0.1",
    "CARILLON_NGINX_CONNECTIONS_PER_IP": "10000",
    "CARILLON_NGINX_HANDSHAKES_PER_SECOND": "1000",
}
HANDSHAKE = (
    "GET {} HTTP/1.1\r\nHost: chat.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
)
SOCKET_PATHS = ["/ws/chat/lobby/", "/ws/notifications/", "/connection/websocket"]


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def seen(self) -> dict[str, list[str]]:
        """The headers that reached the stand-in."""
        seen: dict[str, list[str]] = json.loads(self.body)["headers"]
        return seen


class Front:
    """nginx and the stand-ins behind it."""

    def __init__(self, supervisor: Supervisor, layout: Layout) -> None:
        self.supervisor = supervisor
        self.layout = layout

    def start(self, **settings: str) -> None:
        self.supervisor.up([nginx(self.layout, ENV, SETTINGS | settings, ())])

    def start_gateway(self, number: int) -> None:
        self.supervisor.up([echo(f"gateway-{number}", self.layout.gateway(number))])

    def kill_gateway(self, number: int) -> None:
        record = self.supervisor.records.read(f"gateway-{number}")
        assert record is not None
        os.kill(record.identity.pid, signal.SIGKILL)
        while record.alive:
            time.sleep(0.01)

    def ask(
        self,
        path: str,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.layout.port, timeout=10)
        try:
            connection.request(method, path, body or None, headers or {})
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def send(self, data: bytes) -> bytes:
        """Send raw bytes; return the head of the answer, or nothing when nginx closes."""
        with socket.create_connection(("127.0.0.1", self.layout.port), 10) as connection:
            connection.sendall(data)
            received = b""
            # nginx resets a connection that it has waited for in vain.
            with suppress(ConnectionResetError):
                while b"\r\n\r\n" not in received and (chunk := connection.recv(65536)):
                    received += chunk
            return received

    @contextmanager
    def shake(self, path: str = "/ws/chat/lobby/") -> Iterator[int | str]:
        """Open a socket; give the number of its gateway, or the status line of a refusal."""
        with socket.create_connection(("127.0.0.1", self.layout.port), 10) as connection:
            connection.sendall(HANDSHAKE.format(path).encode())
            head = connection.recv(65536).decode()
            port = re.search(r"X-Port: (\d+)", head)
            if port is None:
                yield head.split("\r\n")[0]
            else:
                yield int(port[1]) - self.layout.gateway(0)

    def log(self) -> list[dict[str, str]]:
        lines = (self.layout.state / "log" / "nginx-access.log").read_text().splitlines()
        return [json.loads(line) for line in lines]


def front_of(supervisor: Supervisor, layout: Layout) -> Front:
    supervisor.up([echo("web", layout.web), echo("gateway-1", layout.gateway(1))])
    return Front(supervisor, layout)


@pytest.fixture
def own_front(supervisor: Supervisor, layout: Layout) -> Front:
    """One for a test that changes it; it starts nginx itself."""
    return front_of(supervisor, layout)


@pytest.fixture(scope="module")
def front() -> Iterator[Front]:
    """One for all tests that only ask, and running."""
    with Layout.temporary() as layout:
        supervisor = Supervisor(layout.state, layout.root, print)
        try:
            front = front_of(supervisor, layout)
            front.start()
            yield front
        finally:
            supervisor.down(at_once=True)


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_rendering(layout: Layout) -> None:
    """nginx accepts what is rendered, and no variable is left."""
    service = nginx(layout, ENV, {}, ())
    (layout.state / "log").mkdir(parents=True)
    service.prepare()
    result = subprocess.run([*service.command, "-t"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "[warn]" not in result.stderr
    assert "${" not in service.content


@pytest.mark.parametrize("name", ["a b", 'quo"te', "semi;colon", "{brace}", "back\\slash"])
def test_odd_folders(layout: Layout, lines: list[str], name: str) -> None:
    """The state folder may have any name."""
    odd = replace(layout, state=layout.state / name)
    (odd.state / "static").mkdir(parents=True)
    (odd.state / "static" / "site.js").touch()
    supervisor = Supervisor(odd.state, odd.root, lines.append)
    front = Front(supervisor, odd)
    try:
        front.start()
        assert front.ask("/static/site.js").status == 200
        wait_for(lambda: len(front.log()) == 1)
    finally:
        supervisor.down(at_once=True)


def test_template_with_an_unknown_variable(layout: Layout) -> None:
    """A variable without a value is an error that names it; nginx's own are left alone."""
    assert render("$host ${CARILLON_X}", {"CARILLON_X": "1"}) == "$host 1"
    with pytest.raises(StackError, match="CARILLON_Y"):
        render("${CARILLON_Y}", variables(layout, {}))


def test_folder_like_a_variable(layout: Layout) -> None:
    """The one name that nginx cannot be given is refused with a sentence."""
    with pytest.raises(StackError, match="set CARILLON_STATE_DIR to a folder without one"):
        nginx(replace(layout, state=layout.state / "$host"), ENV, {}, ())


@pytest.mark.parametrize("limit", ["0", "-1", "many"])
def test_limit_that_is_no_number(layout: Layout, limit: str) -> None:
    """A limit must be a number above 0."""
    with pytest.raises(StackError, match=f"'{limit}' is no limit"):
        variables(layout, {"CARILLON_NGINX_CONNECTIONS_PER_IP": limit})


def test_no_machine_paths(layout: Layout) -> None:
    """The template names no place of its own."""
    text = (layout.root / TEMPLATE).read_text()
    assert not re.search(r"\s/(etc|usr|var|tmp|home|root|work)\b", text)


@pytest.mark.parametrize("path", [*SOCKET_PATHS, "/rooms/"])
def test_headers_are_overwritten(front: Front, path: str) -> None:
    """What a client says of itself never reaches a service."""
    forged = {
        "Host": "chat.test:8080",
        "X-Real-IP": "6.6.6.6",
        "X-Forwarded-For": "6.6.6.6",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil.test",
        "X-Forwarded-Port": "666",
        "Forwarded": "for=6.6.6.6",
        "X-Request-ID": "forged",
        "Daphne-Root-Path": "/admin",
    }
    seen = front.ask(path, headers=forged).seen
    assert seen["host"] == ["chat.test:8080"]
    assert seen["x-real-ip"] == seen["x-forwarded-for"] == ["127.0.0.1"]
    assert seen["x-forwarded-proto"] == ["http"]
    assert re.fullmatch(r"[0-9a-f]{32}", *seen["x-request-id"])
    gone = {"x-forwarded-host", "x-forwarded-port", "forwarded", "daphne-root-path"}
    assert not gone & set(seen)


@pytest.mark.parametrize(
    ("line", "header", "told"),
    [
        ("/rooms/", "chat.test:8080", "chat.test:8080"),
        ("/rooms/", "Chat.Test", "Chat.Test"),
        ("/rooms/", "chat.test.:8080", "chat.test"),
        ("http://chat.test/rooms/", "evil.test", "chat.test"),
        ("http://chat.test:8080/rooms/", "chat.test:8080", "chat.test:8080"),
    ],
)
def test_host_that_services_are_told(front: Front, line: str, header: str, told: str) -> None:
    """It is the one that nginx went by, with its port: a first line that names a host counts."""
    assert front.ask(line, headers={"Host": header}).seen["host"] == [told]


def test_first_line_that_names_another_host(front: Front) -> None:
    """A known host in the header does not help it."""
    answer = front.ask("http://evil.test/rooms/", headers={"Host": "chat.test"})
    assert answer.status == 400


@pytest.mark.parametrize("path", SOCKET_PATHS)
def test_upgrade(front: Front, path: str) -> None:
    """A handshake on a socket's path reaches a gateway."""
    with front.shake(path) as gateway:
        assert gateway == 1


@pytest.mark.parametrize("path", ["/", "/rooms/", "/wsx", "/connection/websocket/more", "/api/v1/"])
def test_no_upgrade_elsewhere(front: Front, path: str) -> None:
    """Everything else goes to the web tier, and never as an upgrade."""
    answer = front.ask(path, headers={"Upgrade": "h2c", "Connection": "Upgrade"})
    assert json.loads(answer.body)["port"] == front.layout.web
    assert not {"upgrade", "connection"} & set(answer.seen)


@pytest.mark.parametrize("name", ["metrics", "livez", "readyz", "drain"])
@pytest.mark.parametrize("form", ["/{}", "/{}/", "//{}", "/{}?x=1", "/x/../{}", "/%2e/{}"])
def test_internal_pages(front: Front, name: str, form: str) -> None:
    """What services tell operators is not there for anybody else."""
    for method in ("GET", "POST"):
        assert front.ask(form.format(name), method).status == 404


def test_status_page(front: Front) -> None:
    """nginx's own figures are on a port of their own, with its probe."""
    for path, text in (("/status", b"Active connections"), ("/livez", b"ok\n")):
        connection = http.client.HTTPConnection("127.0.0.1", front.layout.nginx_status, timeout=10)
        connection.request("GET", path)
        assert text in connection.getresponse().read()
        connection.close()


def test_static_files(own_front: Front) -> None:
    """Static files come from nginx, for ever, and only for reading."""
    folder = own_front.layout.state / "static"
    folder.mkdir()
    (folder / "site.0123456789ab.js").write_text("export {};\n")
    own_front.start()
    answer = own_front.ask("/static/site.0123456789ab.js")
    assert (answer.status, answer.body) == (200, b"export {};\n")
    assert answer.headers["Content-Type"] == "text/javascript"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Server"] == "nginx"
    missing = own_front.ask("/static/other.js")
    assert missing.status == 404
    assert "Cache-Control" not in missing.headers
    assert own_front.ask("/static/../nginx/nginx.conf").status == 200  # the web tier's answer
    assert own_front.ask("/static/site.0123456789ab.js", "POST").status == 403


@pytest.mark.parametrize("path", ["/static/admin", "/static/admin/", "/static/"])
def test_static_folders(own_front: Front, path: str) -> None:
    """A folder is no file: neither a redirect nor a list, and nothing to keep for ever."""
    (own_front.layout.state / "static" / "admin").mkdir(parents=True)
    own_front.start()
    answer = own_front.ask(path)
    assert answer.status == 404
    assert "Cache-Control" not in answer.headers


@pytest.mark.parametrize("path", ["/rooms/", "/static/site.js", *SOCKET_PATHS])
def test_other_hosts(own_front: Front, path: str) -> None:
    """A host that is none of the public origins' is refused before anybody behind nginx sees it."""
    own_front.start()
    assert own_front.ask(path, headers={"Host": "evil.test"}).status == 400
    wait_for(lambda: len(own_front.log()) == 1)
    assert own_front.log()[0]["upstream"] == ""


@pytest.mark.parametrize(
    ("origins", "host"),
    [
        ("https://Chat.Example.org", "chat.example.org"),
        ("http://a.test, http://b.test:8080", "b.test:8080"),
        ("http://[::1]:8080", "[::1]:8080"),
        ("http://" + "long." * 40 + "test", "long." * 40 + "test"),
    ],
)
def test_hosts_of_origins(own_front: Front, origins: str, host: str) -> None:
    """Every host of the public origins is served."""
    own_front.start(CARILLON_PUBLIC_ORIGINS=origins)
    assert own_front.ask("/rooms/", headers={"Host": host}).status == 200


@pytest.mark.parametrize("origins", ["*", "chat.test", "http://a;b", "http://*.test", "http://a b"])
def test_origins_that_are_none(layout: Layout, origins: str) -> None:
    """What is no exact origin never reaches nginx's configuration."""
    with pytest.raises(StackError, match="write exact origins"):
        variables(layout, {"CARILLON_PUBLIC_ORIGINS": origins})


def test_large_bodies(front: Front) -> None:
    """A body over the limit is refused before it is read."""
    head = "POST {} HTTP/1.1\r\nHost: chat.test\r\nContent-Length: {}\r\nConnection: close\r\n\r\n"
    answer = front.send(head.format("/rooms/", 400_000_000).encode())
    assert answer.startswith(b"HTTP/1.1 413 ")
    answer = front.send(head.format("/ws/chat/lobby/", 1025).encode())
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert front.ask("/rooms/", "POST", body=b"x" * 1_000_000).status == 200


def test_lists_of_recipients_may_be_long(front: Front) -> None:
    """Up to 64 MiB on that one address, with their length even when they come in chunks."""
    path = "/api/v1/bulk-jobs/12/recipients"
    answer = front.ask(path, "POST", body=b"1\n" * 3_000_000)
    assert answer.status == 200
    assert answer.seen["content-length"] == ["6000000"]
    for other in (f"{path}/", "/api/v1/bulk-jobs/x/recipients", "/api/v1/bulk-jobs"):
        assert front.ask(other, "POST", body=b"x" * 1_100_000).status == 413
    head = f"POST {path} HTTP/1.1\r\nHost: chat.test\r\n"
    too_long = front.send(f"{head}Content-Length: {64 * 1024 * 1024 + 1}\r\n\r\n".encode())
    assert too_long.startswith(b"HTTP/1.1 413 ")
    chunked = front.send(f"{head}Transfer-Encoding: chunked\r\n\r\n2\r\n1\n\r\n0\r\n\r\n".encode())
    assert chunked.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("path", ["/api/v1/bulk-jobs/12/recipients", "/staff/bulk/"])
def test_long_lists_of_one_address(front: Front, path: str) -> None:
    """Eight at a time fill no disk; one more is refused with 429, and other pages still come."""
    head = f"POST {path} HTTP/1.1\r\nHost: chat.test\r\nContent-Length: 60000000\r\n\r\n1\n"
    with ExitStack() as stack:

        def is_too_much() -> bool:
            """Begin one more; nginx may still count some that are over, and refuse it."""
            address = ("127.0.0.1", front.layout.port)
            slow = stack.enter_context(socket.create_connection(address, 10))
            slow.sendall(head.encode())
            return front.ask(path).status == 429

        wait_for(is_too_much)
        assert front.ask("/rooms/").status == 200
    wait_for(lambda: front.ask(path).status == 200)


@pytest.mark.parametrize(
    "request_",
    [
        (
            b"POST / HTTP/1.1\r\nHost: chat.test\r\nContent-Length: 3\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        ),
        b"GET / HTTP/1.1\r\nHost: chat.test\r\nHost: chat.test\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: chat.test\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: chat.test\r\n\r\n",
    ],
    ids=["two lengths", "two hosts", "no host", "20 KB header", "NUL"],
)
def test_malformed_requests(front: Front, request_: bytes) -> None:
    """nginx answers them itself."""
    assert front.send(request_).startswith(b"HTTP/1.1 400 ")


def test_slow_header(front: Front) -> None:
    """A request that does not end its header within 5 s is cut."""
    began = time.monotonic()
    front.send(b"GET / HTTP/1.1\r\nHost: chat.test\r\n")
    # Far below nginx's own 60 s, however busy the machine is.
    assert 4.5 < time.monotonic() - began < 30


def test_access_log(own_front: Front) -> None:
    """A line per request, without the query string, and safe from what clients send."""
    own_front.start()
    answer = own_front.ask(
        '/rooms/"%0Aforged?since=secret', headers={"Referer": "http://x/?secret"}
    )
    wait_for(lambda: len(own_front.log()) == 1)
    (line,) = own_front.log()
    assert line["path"] == '/rooms/"\nforged'
    assert line["request_id"] == answer.seen["x-request-id"][0]
    assert line["upstream"] == f"127.0.0.1:{own_front.layout.web}"
    assert "secret" not in json.dumps(line)


def test_gateway_that_is_back(own_front: Front) -> None:
    """One that has refused is given its share again, while all that came meanwhile stay."""
    own_front.start_gateway(2)
    own_front.start()
    own_front.kill_gateway(1)
    with ExitStack() as sockets:
        for _ in range(6):
            assert sockets.enter_context(own_front.shake()) == 2
        own_front.start_gateway(1)
        came = [sockets.enter_context(own_front.shake()) for _ in range(10)]
        # Eight each, in the end.
        assert came.count(1) == 8


def test_no_query_string_in_any_log(own_front: Front) -> None:
    """What goes wrong is in the access log; the other one would tell whole first lines."""
    own_front.start(CARILLON_NGINX_HANDSHAKES_PER_SECOND="1")
    own_front.kill_gateway(1)
    record = own_front.supervisor.records.read("web")
    assert record is not None
    os.kill(record.identity.pid, signal.SIGKILL)
    wait_for(lambda: not record.alive)
    # Refused by nobody who is there, by a limit, and a body that goes to a file.
    assert own_front.ask("/rooms/?secret").status == 502
    handshake = {"Upgrade": "websocket"}
    handshakes = 1
    while own_front.ask("/connection/websocket?token=secret", headers=handshake).status != 429:
        handshakes += 1
    own_front.ask("/api/v1/bulk-jobs/1/recipients?secret", "POST", body=b"x" * 100_000)
    wait_for(lambda: len(own_front.log()) == handshakes + 2)
    assert own_front.log()[0]["upstream_status"] == "502"
    assert own_front.log()[handshakes]["status"] == "429"
    for path in (own_front.layout.state / "log").glob("nginx*"):
        assert "secret" not in path.read_text()


def test_connections_of_one_address(own_front: Front) -> None:
    """One socket too many is refused with 429; the others stay."""
    own_front.start(CARILLON_NGINX_CONNECTIONS_PER_IP="3")
    with own_front.shake() as a, own_front.shake() as b, own_front.shake() as c:
        assert (a, b, c) == (1, 1, 1)
        with own_front.shake() as refused:
            assert refused == "HTTP/1.1 429 Too Many Requests"
        assert own_front.ask("/rooms/").status == 200

    def is_free() -> bool:
        with own_front.shake() as again:
            return again == 1

    wait_for(is_free)


def test_handshakes_of_one_address(own_front: Front) -> None:
    """Ten times the rate at once pass, and the rate after that; more are refused with 429."""
    own_front.start(CARILLON_NGINX_HANDSHAKES_PER_SECOND="1")
    began = time.monotonic()
    passed = 0
    while True:
        with own_front.shake() as result:
            if result != 1:
                break
        passed += 1
        assert passed <= 12 + (time.monotonic() - began)
    assert passed >= 10
    assert result == "HTTP/1.1 429 Too Many Requests"


@pytest.mark.parametrize(
    "path", ["/accounts/login/", "/accounts/signup/", "/accounts/delete/", "/admin/login/"]
)
def test_passwords_of_one_address(own_front: Front, path: str) -> None:
    """Whoever guesses passwords is told to wait; who only looks at the page is not counted."""
    own_front.start(CARILLON_NGINX_PASSWORDS_PER_MINUTE="3")
    for _ in range(5):
        assert own_front.ask(path).status == 200
    answers = [own_front.ask(path, "POST", body=b"password=guess") for _ in range(4)]
    assert [each.status for each in answers] == [200, 200, 429, 429]
    assert answers[-1].headers["Retry-After"] == "60"
    assert b"wait a minute" in answers[-1].body
    assert own_front.ask(path).status == 200
    assert own_front.ask("/feed/", "POST", body=b"title=x").status == 200


def test_no_gateway(own_front: Front) -> None:
    """Without a gateway a handshake fails at once, and pages still come."""
    own_front.start()
    own_front.kill_gateway(1)
    began = time.monotonic()
    with own_front.shake() as result:
        assert result == "HTTP/1.1 503 Service Temporarily Unavailable"
    # A slot that is waited for would take a second, and there are 16, asked twice.
    assert time.monotonic() - began < 10
    assert own_front.ask("/rooms/").status == 200


def test_handshakes_while_gateways_come_and_go(own_front: Front) -> None:
    """
    No handshake fails while one gateway lives, though 14 of 16 slots are empty.

    Not when the other was killed, nor when the only one left has just come back, so that nginx
    still holds it for dead.
    """
    own_front.start()
    own_front.start_gateway(2)
    steps: list[tuple[int, Callable[[], None]]] = [
        (50, lambda: own_front.kill_gateway(1)),
        (100, lambda: own_front.start_gateway(1)),
        (110, lambda: own_front.kill_gateway(2)),
        (300, lambda: own_front.start_gateway(2)),
    ]
    results = Counter[int | str]()
    for turn in range(400):
        for when, step in steps:
            if when == turn:
                step()
        with own_front.shake() as result:
            results[result] += 1
    assert set(results) == {1, 2}


def test_new_gateway_gets_its_share(own_front: Front) -> None:
    """New sockets reach a third gateway within 10 s, and no open one is cut."""
    own_front.start()
    own_front.start_gateway(2)
    with socket.create_connection(("127.0.0.1", own_front.layout.port), 10) as old:
        old.sendall(HANDSHAKE.format(SOCKET_PATHS[0]).encode())
        assert b"101" in old.recv(65536)
        own_front.start_gateway(3)

        def reaches_third() -> bool:
            with own_front.shake() as number:
                assert number in {1, 2, 3}
                return number == 3

        wait_for(reaches_third)
        old.sendall(b"still here")
        assert old.recv(1024) == b"still here"
