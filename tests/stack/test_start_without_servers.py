"""Services that are started before their servers, as after a power cut."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator

import httpx
import pytest

from deploy.stack.processes import exit_status
from deploy.stack.stack import Stack
from shared.accounts.demo import DEMO_PASSWORD
from tests.servers import temporary_stack

pytestmark = pytest.mark.servers

SERVICES = ("gateway-1", "web", "worker", "beat")
SERVERS = ("initdb", "postgresql", "database", "epmd", "rabbitmq")

DATABASE_AWAY, DATABASE_BACK = "The database does not answer", "The database answers again."
# What each says of RabbitMQ. The web tier asks for it when there is something to tell.
BROKER_AWAY = {
    "gateway-1": "RabbitMQ is away",
    "worker": "the worker goes on trying",
    "beat": "RabbitMQ takes no tasks",
}
BROKER_BACK = {
    "gateway-1": "RabbitMQ answers.",
    "worker": "Connected to amqp",
    "beat": "RabbitMQ takes tasks again.",
}


@pytest.fixture(scope="module")
def bare() -> Iterator[Stack]:
    """A stack of which nothing runs, in which the demo is not allowed."""
    with temporary_stack({"CARILLON_DEMO": "0"}) as stack:
        yield stack


def start(stack: Stack, *names: str) -> None:
    """Start services without waiting for them."""
    for service in stack.services([1]):
        if service.name in names:
            stack.supervisor.start(service)


def probe(stack: Stack, name: str, path: str) -> tuple[int, str]:
    """Ask a service how it is; 0 while it does not listen."""
    layout = stack.layout
    ports = {
        "gateway-1": layout.gateway_internal(1),
        "web": layout.web_internal,
        "worker": layout.worker_internal,
        "beat": layout.beat_internal,
    }
    try:
        answer = httpx.get(f"http://127.0.0.1:{ports[name]}{path}", timeout=5)
    except httpx.TransportError:
        return 0, ""
    return answer.status_code, answer.text


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def events(stack: Stack, name: str) -> list[str]:
    """What a service has logged, without lines of others, such as warnings of Python's."""
    lines = stack.log(name).read_text().splitlines()
    return [json.loads(line)["event"] for line in lines if line.startswith("{")]


def said(stack: Stack, name: str, words: str) -> int:
    return sum(words in event for event in events(stack, name))


def status(stack: Stack, name: str) -> int | None:
    record = stack.supervisor.records.read(name)
    assert record is not None
    return exit_status(record.identity)


def test_services_wait_for_their_servers(bare: Stack) -> None:
    """Alive, not ready, one line about each server that is away; then ready, by themselves."""
    start(bare, *SERVICES)
    for name in SERVICES:
        until(lambda: probe(bare, name, "/livez")[0] == 200, 40, f"{name} lives")
    for name in SERVICES:
        until(lambda: said(bare, name, DATABASE_AWAY) == 1, 30, f"{name} misses the database")
        code, words = probe(bare, name, "/readyz")
        assert code == 503
        assert "database: connection failed" in words
        assert "Connection refused" in words
    assert "tasks: takes none yet" in probe(bare, "worker", "/readyz")[1]
    for name, words in BROKER_AWAY.items():
        until(lambda: said(bare, name, words) == 1, 30, f"{name} misses RabbitMQ")
    print({name: events(bare, name) for name in SERVICES})
    pids = {name: bare.pid(name) for name in SERVICES}

    bare.start(*SERVERS)
    bare.start("migrate")
    for name in SERVICES:
        until(lambda: probe(bare, name, "/readyz")[0] == 200, 45, f"{name} is ready")
        assert probe(bare, name, "/livez")[0] == 200
    assert {name: bare.pid(name) for name in SERVICES} == pids, "nothing was started again"
    for name in SERVICES:
        until(lambda: said(bare, name, DATABASE_BACK) == 1, 30, f"{name} has the database")
        assert said(bare, name, DATABASE_AWAY) == 1
        if name in BROKER_AWAY:
            until(lambda: said(bare, name, BROKER_BACK[name]) == 1, 30, f"{name} has RabbitMQ")
            assert said(bare, name, BROKER_AWAY[name]) == 1
        # However long it takes: what is said again and again is said to nobody.
        heard = Counter(events(bare, name))
        assert heard.most_common(1)[0][1] == 1, heard
        assert heard.total() < 25, heard
    assert said(bare, "web", "Booting worker") == 2


def test_demo_users_that_come_with_the_database(bare: Stack) -> None:
    """Nobody could look for them at the start; whoever finds them later ends, and says why."""
    for name in reversed(SERVICES):
        if bare.is_running(name):
            bare.kill(name)
    bare.start(*SERVERS, "migrate")
    make = f"User.objects.create_user('alice', password={DEMO_PASSWORD!r})"
    bare.manage("shell", "-c", f"from shared.accounts.models import User; {make}")
    bare.stop("postgresql")
    start(bare, "gateway-1", "web")
    for name in ("gateway-1", "web"):
        until(lambda: probe(bare, name, "/livez")[0] == 200, 40, f"{name} lives")
        assert status(bare, name) is None
    bare.start("postgresql")
    for name in ("gateway-1", "web"):
        until(lambda: status(bare, name) is not None, 40, f"{name} ends")
        assert status(bare, name) == 3
        sentence = "Carillon does not start: The demo users alice still have the demo password"
        assert sentence in bare.log(name).read_text()
