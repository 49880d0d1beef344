"""
Real servers for tests: fixtures `stack`, `postgresql` and `rabbitmq`.

Each runs in a folder of its own on free ports, once for the session, and ends with it, on Ctrl-C
and SIGTERM, too. A test that asks for one of them has the mark `servers` by itself.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from deploy.stack.layout import Layout
from deploy.stack.stack import Stack

__all__ = ["SETTINGS", "TOKEN_SECRET", "RunningStack", "Server", "temporary_stack"]

FIXTURES = {"stack", "postgresql", "rabbitmq"}

GATEWAYS = 2
ROLES = ("gateway", "web", "worker")

# Of a server beside ours, which signs tokens for our users.
TOKEN_SECRET = "6f1c0b2d9a7e4835bd20c7e1f4a90d63"
SETTINGS = {
    # All clients of a test have one address.
    "CARILLON_NGINX_CONNECTIONS_PER_IP": "10000",
    "CARILLON_NGINX_HANDSHAKES_PER_SECOND": "1000",
    "CARILLON_NGINX_PASSWORDS_PER_MINUTE": "10000",
    # Channels for those who have a permission, of which Carillon itself has none.
    "CARILLON_APPS": "tests.desk",
    "CARILLON_TOKEN_SECRETS": TOKEN_SECRET,
}


# What stands in the first of these is not looked for in the second.
WAITING = (
    "tests/integration/test_presence.py",
    "tests/integration/test_revocations.py",
    *(f"tests/sdk/test_{name}.py" for name in ("conversation", "ending", "recovery", "tokens")),
)
BUSY = ("tests/integration/", "tests/sdk/test_", "tests/stack/test_stack.py")


class Server:
    """One server that a test may stop, kill and start; by itself, or inside a stack."""

    def __init__(self, stack: Stack, name: str) -> None:
        self._stack = stack
        self._name = name

    @property
    def pid(self) -> int | None:
        """The main process, None when it does not run."""
        return self._stack.pid(self._name)

    def start(self) -> None:
        """Start it and wait until it is ready; nothing happens when it runs."""
        self._stack.start(self._name)

    def stop(self) -> None:
        """Ask it to end and wait until it has."""
        self._stack.stop(self._name)

    def kill(self) -> None:
        """End it with SIGKILL, with all its children."""
        self._stack.kill(self._name)

    @property
    def log_text(self) -> str:
        """What it has written."""
        return self._stack.log(self._name).read_text(errors="replace")


class PostgreSQL(Server):
    @property
    def url(self) -> str:
        return self._stack.database_url


class RabbitMQ(Server):
    @property
    def urls(self) -> dict[str, str]:
        """A URL for each role, and one for `operator`, who may do everything."""
        return {role: self._stack.broker_url(role) for role in (*ROLES, "operator")}


class RunningStack:
    """All of Carillon: nginx, web, two gateways, two workers, beat, RabbitMQ, PostgreSQL."""

    def __init__(self, stack: Stack) -> None:
        # For tests that start services of their own beside it.
        self.stack = self._stack = stack
        self.state: Path = stack.layout.state
        self.url = f"http://127.0.0.1:{stack.layout.port}"
        self.web_url = f"http://127.0.0.1:{stack.layout.web}"
        self.database_url = stack.database_url
        self.broker_urls = {role: stack.broker_url(role) for role in (*ROLES, "operator")}

    # Gateways, counted from 1

    @property
    def gateways(self) -> dict[int, int | None]:
        """The pid of each gateway, None for a dead one."""
        return {n: self._stack.pid(f"gateway-{n}") for n in self._stack.gateways()}

    def gateway_url(self, number: int) -> str:
        """Where a gateway listens, beside nginx."""
        return f"http://127.0.0.1:{self._stack.layout.gateway(number)}"

    def internal_url(self, name: str) -> str:
        """Where a service has /metrics, /livez and /readyz: `web`, `worker`, `gateway-1`."""
        layout = self._stack.layout
        ports = {
            "web": layout.web_internal,
            "worker": layout.worker_internal,
            "bulk": layout.bulk_internal,
            "beat": layout.beat_internal,
        }
        if name.startswith("gateway-"):
            ports[name] = layout.gateway_internal(int(name.removeprefix("gateway-")))
        return f"http://127.0.0.1:{ports[name]}"

    def kill_gateway(self, number: int) -> None:
        self._stack.kill(f"gateway-{number}")

    def start_gateway(self, number: int) -> None:
        self._stack.start(f"gateway-{number}")

    def scale(self, gateways: int) -> None:
        self._stack.scale(gateways)

    # The others

    def server(self, name: str) -> Server:
        """A service by name: `web`, `worker`, `bulk`, `beat`, `nginx`, `rabbitmq`, `postgresql`."""
        return Server(self._stack, name)

    def stop_rabbitmq(self) -> None:
        self._stack.stop("rabbitmq")

    def start_rabbitmq(self) -> None:
        self._stack.start("rabbitmq")

    def manage(self, *arguments: str) -> str:
        """Run a management command; return what it prints."""
        return self._stack.manage(*arguments)

    def log_text(self, name: str) -> str:
        """What a service has written since the session began."""
        return self._stack.log(name).read_text(errors="replace")

    @contextmanager
    def settings(self, **changes: str) -> Iterator[None]:
        """Run with other settings; services whose settings change are started again, twice."""
        before = self._stack.environment
        self._stack.environment = before | changes
        try:
            self._stack.up(GATEWAYS, with_tasks=False)
            yield
        finally:
            self._stack.environment = before
            self.restore()

    def restore(self) -> None:
        """Start what a test has stopped, stop what it has added."""
        self._stack.up(GATEWAYS, with_tasks=False)


@contextmanager
def temporary_stack(settings: Mapping[str, str]) -> Iterator[Stack]:
    """A stack with nothing started yet, which takes all that it starts along."""
    with Layout.temporary() as layout:
        stack = Stack(layout, settings, print)
        try:
            yield stack
        finally:
            stack.down(and_wipe=True)


@pytest.fixture(scope="session")
def stack() -> Iterator[RunningStack]:
    with temporary_stack(SETTINGS) as stack:
        stack.up(GATEWAYS)
        running = RunningStack(stack)
        yield running
        assert_operators_can_read_the_logs(running)


def assert_operators_can_read_the_logs(stack: RunningStack) -> None:
    """Whatever the tests did to a stack: no traceback, and every line of a gateway is JSON."""
    for service in ("web", "worker", "bulk", "beat", "gateway-1", "gateway-2"):
        lines = stack.log_text(service).splitlines()
        found = [n for n, line in enumerate(lines) if "Traceback" in line]
        # All of the first one, so that who reads of it need not have been there.
        assert not found, "\n".join([service, *lines[max(0, found[0] - 3) : found[0] + 60]])
        for line in lines:
            if service.startswith("gateway"):
                assert isinstance(json.loads(line), dict), line


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    with temporary_stack({}) as stack:
        stack.start("initdb", "postgresql", "database")
        yield PostgreSQL(stack, "postgresql")


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQ]:
    with temporary_stack({}) as stack:
        stack.start("epmd", "rabbitmq")
        yield RabbitMQ(stack, "rabbitmq")


@pytest.fixture(autouse=True)
def _restored(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave every server as the next test expects it."""
    used = [request.getfixturevalue(name) for name in FIXTURES & set(request.fixturenames)]
    yield
    for server in used:
        if isinstance(server, RunningStack):
            server.restore()
        else:
            server.start()


def pytest_configure(config: pytest.Config) -> None:
    # Fixtures are torn down after Ctrl-C; a plain `kill` shall do no less.
    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # First, because `-m` looks at the marks in this same hook.
    for item in items:
        if FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("servers")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    if config.getoption("dist") != "loadfile":
        return None
    return StackTogether(config, log)


class StackTogether(LoadFileScheduling):
    """
    For `--dist loadfile`: files that use a stack share one, those that keep the machine busy with
    it in one process, and those that mostly wait in another.

    A mark `xdist_group` would say it more simply; xdist 3.8 does not see it with pytest 9.2, and
    `test_broker_away` needs another stack than the rest.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::", 1)[0]
        if path == "tests/integration/test_broker_away.py":
            return path
        if path.startswith(WAITING):
            return "waiting"
        return "busy" if path.startswith(BUSY) else path
