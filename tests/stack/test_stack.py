"""The whole stack, as `make stack` runs it."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import amqp
import httpx
import psycopg
import pytest

from deploy.stack.layout import Layout
from deploy.stack.postgresql import left_behind
from deploy.stack.probes import is_free
from deploy.stack.processes import family, identify
from deploy.stack.stack import Stack
from tests.servers import PostgreSQL, RabbitMQ, RunningStack

PROCESSES = ["web", "worker", "bulk", "beat", "gateway-1", "gateway-2"]


@pytest.fixture
def alice(stack: RunningStack) -> Iterator[httpx.Client]:
    """A browser in which alice has signed in."""
    with httpx.Client(base_url=stack.url, headers={"Origin": stack.url}) as client:
        page = client.get("/accounts/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token is not None
        words = {"username": "alice", "password": "carillon", "csrfmiddlewaretoken": token[1]}
        assert client.post("/accounts/login/", data=words).status_code == 302
        yield client


def shake(stack: RunningStack, client: httpx.Client) -> http.client.HTTPConnection:
    """Open a WebSocket through nginx and return its connection."""
    address = urlsplit(stack.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    connection.request(
        "GET",
        "/ws/chat/lobby/",
        headers={
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Origin": stack.url,
            "Cookie": cookies,
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        },
    )
    assert connection.sock is not None
    status = connection.sock.recv(65536).split(b"\r\n")[0].decode()
    assert status.startswith("HTTP/1.1 101 "), status
    return connection


def is_open(connection: http.client.HTTPConnection) -> bool:
    """Read what a socket has been sent; tell whether it has been closed since."""
    assert connection.sock is not None
    connection.sock.setblocking(False)
    try:
        while connection.sock.recv(65536):
            pass
    except BlockingIOError:
        return True
    return False


def holders(stack: RunningStack) -> Counter[str]:
    """Count the closed sockets of the access log by the gateway that held them."""
    lines = [json.loads(x) for x in (stack.state / "log/nginx-access.log").read_text().splitlines()]
    return Counter(line["upstream"] for line in lines if line["status"] == "101")


def test_pages(stack: RunningStack, alice: httpx.Client) -> None:
    """Pages and their static files come through nginx; internal pages do not."""
    page = alice.get("/rooms/")
    assert page.status_code == 200
    links = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
    assert links
    for link in links:
        answer = alice.get(link)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    assert alice.get("/metrics").status_code == 404


@pytest.mark.parametrize("name", PROCESSES)
def test_internal_pages(stack: RunningStack, name: str) -> None:
    """Every process tells on its own port how it is."""
    for page in ("livez", "readyz", "metrics"):
        answer = httpx.get(f"{stack.internal_url(name)}/{page}")
        assert answer.status_code == 200, answer.text
    assert "carillon_" in answer.text


def test_scale(stack: RunningStack, alice: httpx.Client) -> None:
    """A third gateway takes new sockets; open ones stay, and nothing else is touched."""
    before = stack.gateways
    others = {name: stack.server(name).pid for name in ("nginx", "web", "worker", "rabbitmq")}
    workers = nginx_workers(stack)
    with closing(shake(stack, alice)) as old:
        stack.scale(3)
        assert stack.gateways.items() >= before.items()
        third = stack.gateway_url(3).removeprefix("http://")
        deadline = time.monotonic() + 10
        opened = []
        while holders(stack)[third] == 0:
            assert time.monotonic() < deadline, "no socket reached the third gateway"
            with closing(shake(stack, alice)) as one:
                opened.append(one)
        stack.scale(2)
        assert stack.gateways == before
        assert is_open(old)
    assert {name: stack.server(name).pid for name in others} == others
    assert nginx_workers(stack) == workers


def nginx_workers(stack: RunningStack) -> list[int]:
    master = identify(stack.server("nginx").pid or 0)
    assert master is not None
    return sorted(member.pid for member in family(master))


def test_killed_gateway(stack: RunningStack, alice: httpx.Client) -> None:
    """New sockets go to the other one at once, and to both when it is back."""
    stack.kill_gateway(2)
    assert stack.gateways[2] is None
    for _ in range(20):
        shake(stack, alice).close()
    stack.start_gateway(2)
    second = stack.gateway_url(2).removeprefix("http://")
    before = holders(stack)[second]
    deadline = time.monotonic() + 10
    while holders(stack)[second] == before:
        assert time.monotonic() < deadline, "no socket reached the gateway that came back"
        shake(stack, alice).close()


def test_settings(stack: RunningStack) -> None:
    """Another setting restarts Carillon's processes, and neither servers nor nginx."""
    kept = {name: stack.server(name).pid for name in ("nginx", "rabbitmq", "postgresql")}
    before = stack.gateways
    with stack.settings(CARILLON_BROKER_BELLS="0"):
        assert not set(before.values()) & set(stack.gateways.values())
        environment = Path(f"/proc/{stack.gateways[1]}/environ").read_text().split("\0")
        assert "CARILLON_BROKER_BELLS=0" in environment
    environment = Path(f"/proc/{stack.gateways[1]}/environ").read_text().split("\0")
    assert "CARILLON_BROKER_BELLS=0" not in environment
    assert {name: stack.server(name).pid for name in kept} == kept


def test_management_command(stack: RunningStack) -> None:
    """Commands see the stack's database."""
    code = "from shared.accounts.models import User; print(User.objects.get(username='bob'))"
    assert "bob" in stack.manage("shell", "-v", "0", "-c", code)


def test_rabbitmq_comes_back(stack: RunningStack) -> None:
    """Stopped and started under running services, which stay ready or become so again."""
    stack.stop_rabbitmq()
    assert stack.server("rabbitmq").pid is None
    stack.start_rabbitmq()
    deadline = time.monotonic() + 20
    while any(httpx.get(stack.internal_url(n) + "/readyz").status_code != 200 for n in PROCESSES):
        assert time.monotonic() < deadline, "a service did not become ready again"
        time.sleep(0.1)


def test_roles_suffice(stack: RunningStack) -> None:
    """No process asks the broker or the database for more than its account may do."""
    assert "access_refused" not in stack.log_text("rabbitmq").lower()
    assert "permission denied" not in stack.log_text("postgresql")


def test_logs_hold_no_secrets(stack: RunningStack, alice: httpx.Client) -> None:
    """No password, key or session is in any log."""
    credentials = json.loads((stack.state / "credentials.json").read_text())
    secrets = [*credentials.values(), *alice.cookies.values()]
    alice.get("/rooms/")
    for path in (stack.state / "log").iterdir():
        text = path.read_text(errors="replace")
        assert not [secret for secret in secrets if secret in text], path


def test_private_files(stack: RunningStack) -> None:
    """What holds secrets is readable by its owner alone."""
    private = ["credentials.json", "roles.sql", "rabbitmq/definitions.json", "postgresql/superuser"]
    for name in private:
        assert (stack.state / name).stat().st_mode & 0o077 == 0, name


def test_database_account(postgresql: PostgreSQL) -> None:
    """Carillon's account owns its database and is no superuser; commits reach the disk."""
    with psycopg.connect(postgresql.url) as connection:
        query = "SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        assert connection.execute(query).fetchone() == (False, False)
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            assert connection.execute(f"SHOW {name}").fetchone() == ("on",)


def test_database_restarts(postgresql: PostgreSQL) -> None:
    """What was committed survives SIGKILL."""
    with psycopg.connect(postgresql.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    postgresql.kill()
    assert postgresql.pid is None
    postgresql.start()
    with psycopg.connect(postgresql.url, autocommit=True) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
        connection.execute("DROP TABLE kept")


def amqp_channel(url: str) -> amqp.Channel:
    parts = urlsplit(url)
    connection = amqp.Connection(
        f"{parts.hostname}:{parts.port}",
        userid=parts.username,
        password=parts.password,
        virtual_host=parts.path[1:],
    )
    connection.connect()
    return connection.channel()


@pytest.mark.parametrize(
    "queue", ["carillon.default", "carillon.rounds", "carillon.bulk", "celery", "anything"]
)
def test_gateway_may_not_declare_job_queues(rabbitmq: RabbitMQ, queue: str) -> None:
    """A gateway's account is for bells alone."""
    channel = amqp_channel(rabbitmq.urls["gateway"])
    with pytest.raises(amqp.exceptions.AccessRefused):
        channel.queue_declare(queue)
    channel.connection.close()


def test_web_may_not_listen(rabbitmq: RabbitMQ) -> None:
    """The web tier rings bells and cannot hear them."""
    channel = amqp_channel(rabbitmq.urls["web"])
    channel.exchange_declare("groups", "direct", durable=False, auto_delete=False)
    with pytest.raises(amqp.exceptions.AccessRefused):
        channel.queue_declare("channels_abc", exclusive=True)
    channel.connection.close()


def test_no_guest(rabbitmq: RabbitMQ) -> None:
    """The account that every RabbitMQ is born with is not there."""
    url = re.sub(r"//[^@]+@", "//guest:guest@", rabbitmq.urls["web"])
    with pytest.raises(amqp.exceptions.AccessRefused):
        amqp_channel(url)


def test_heartbeat(rabbitmq: RabbitMQ) -> None:
    """A dead peer is noticed in seconds: channels-rabbitmq takes the server's word."""
    channel = amqp_channel(rabbitmq.urls["web"])
    assert channel.connection.server_heartbeat == 10
    channel.connection.close()


@pytest.mark.servers
def test_down_leaves_nothing(layout: Layout) -> None:
    """After `down` no process runs and no port is held; after a wipe no data is left."""
    lines: list[str] = []
    stack = Stack(layout, {}, lines.append)
    names = ["initdb", "postgresql", "database", "epmd", "rabbitmq"]
    try:
        stack.start(*names)
        records = stack.supervisor.records.all()
        members = set().union(*(family(record.identity) for record in records))
        assert len(members) > len(records)
    finally:
        stack.down()
    assert not any(identify(member.pid) == member for member in members)
    assert all(is_free(port) for port in range(layout.base, layout.port + 1))
    assert [line.split()[0] for line in lines[-3:]].count("epmd") == 1
    stack.down(and_wipe=True)
    assert [path.name for path in layout.state.iterdir()] == ["lock"]


@pytest.mark.servers
def test_closed_folder(layout: Layout, tmp_path: Path) -> None:
    """PostgreSQL runs although its account may not enter the checkout."""
    tmp_path.chmod(0o700)
    layout = Layout(tmp_path / "state", layout.port, layout.base, sandbox=True)
    stack = Stack(layout, {}, print)
    try:
        stack.start("initdb", "postgresql", "database")
        with psycopg.connect(stack.database_url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        folder = (layout.state / "postgresql").resolve()
    finally:
        stack.down(and_wipe=True)
    assert not folder.exists()


@pytest.mark.servers
def test_folder_made_anew(layout: Layout, tmp_path: Path) -> None:
    """A state folder that was removed and made again has no use for the old one's cluster."""
    tmp_path.chmod(0o700)
    layout = Layout(tmp_path / "state", layout.port, layout.base, sandbox=True)
    stack = Stack(layout, {}, print)
    folders: list[Path] = []
    try:
        for _ in range(2):
            assert left_behind(layout) == [folder for folder in folders if folder.exists()]
            stack.start("initdb", "postgresql", "database")
            with psycopg.connect(stack.database_url) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
            folders.append((layout.state / "postgresql").resolve())
            stack.down()
            shutil.rmtree(layout.state)
    finally:
        stack.down(and_wipe=True)
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


def test_two_commands_at_once(layout: Layout) -> None:
    """The second one is told to wait, and does nothing."""
    stack = Stack(layout, {}, print)
    with stack.lock():
        result = subprocess.run(
            [sys.executable, "-m", "deploy.stack", "down"],
            cwd=layout.root,
            env={"CARILLON_STATE_DIR": str(layout.state)},
            capture_output=True,
            text=True,
        )
    assert result.returncode == 1
    assert result.stderr.startswith("Another command works on ")
