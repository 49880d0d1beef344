"""`realtime_check` beside real servers that are not as they should be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.core.checks import CheckMessage
from pytest_django import Settings

from deploy.stack.processes import family
from deploy.stack.programs import find
from shared.broker.inspection import Fault, inspect
from shared.operations import brokers, databases
from shared.operations.looking import PROBE_SECONDS, look_at_all
from shared.operations.processes import Processes
from shared.operations.surroundings import MANIFEST
from shared.settings import databases as databases_of_settings
from tests.processes import ENVIRONMENT, python
from tests.servers import PostgreSQL, RabbitMQ, Server

# Others have their own tables in the database that the server comes with.
OURS = "operations"
SOME = Processes.read("web=2,gateway=2,worker=4")


def ids(findings: Iterable[CheckMessage]) -> set[str]:
    """Their numbers."""
    return {str(finding.id).removeprefix("carillon.") for finding in findings}


def entry(postgresql: PostgreSQL, **changes: str) -> dict[str, str]:
    """Django's entry for the database of this version, or one that is wrong somewhere."""
    parts = urlsplit(postgresql.url)
    right = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": OURS,
        "USER": str(parts.username),
        "PASSWORD": str(parts.password),
        "HOST": "127.0.0.1",
        "PORT": str(parts.port),
    }
    return right | changes


def web(postgresql: PostgreSQL, rabbitmq: RabbitMQ | None = None) -> dict[str, str]:
    """The environment of a web tier beside these servers."""
    broker = {} if rabbitmq is None else {"BROKER_URL": rabbitmq.urls["web"]}
    settings = {"DJANGO_SETTINGS_MODULE": "services.web.settings", "CARILLON_WEB_WORKERS": "2"}
    url = postgresql.url.removesuffix("carillon") + OURS
    return {**ENVIRONMENT, **settings, **broker, "DATABASE_URL": url}


@pytest.fixture
def static(tmp_path: Path) -> Path:
    """A folder of static files, as `collectstatic` leaves it."""
    (tmp_path / MANIFEST).write_text('{"paths": {}}')
    return tmp_path


@pytest.fixture(scope="module")
def empty(postgresql: PostgreSQL) -> PostgreSQL:
    """A database of ours alone."""
    with superuser(postgresql, "postgres") as server:
        server.execute(f"CREATE DATABASE {OURS} OWNER carillon")
    return postgresql


@pytest.fixture(scope="module")
def migrated(empty: PostgreSQL) -> PostgreSQL:
    """The same with the tables of this version; `test_empty_database` comes before."""
    postgresql = empty
    done = python("manage.py", "migrate", "-v0", environment=web(postgresql))
    assert done.returncode == 0, done.stderr
    return postgresql


@contextmanager
def changed(postgresql: PostgreSQL, sql: str, back: str) -> Iterator[None]:
    """Run a statement as the superuser, and another one after."""
    with superuser(postgresql) as server:
        server.execute(sql)
        try:
            yield
        finally:
            server.execute(back)


def superuser(postgresql: PostgreSQL, name: str = OURS) -> psycopg.Connection:
    stack = postgresql._stack
    return psycopg.connect(
        host="127.0.0.1",
        port=stack.layout.postgresql,
        dbname=name,
        user="postgres",
        password=stack.credentials.superuser,
        autocommit=True,
    )


def test_empty_database(empty: PostgreSQL) -> None:
    """Migrations are missing, and that is one error, whatever else cannot be asked then."""
    seen = databases.look_at_postgresql(entry(empty), None)
    assert ids(seen.findings) == {"E034"}
    assert seen.facts["version"].startswith("PostgreSQL ")


def test_all_is_well(migrated: PostgreSQL, rabbitmq: RabbitMQ, static: Path) -> None:
    """The command itself: nothing is found but what a shell lacks; what was seen is told."""
    environment = web(migrated, rabbitmq) | {"CARILLON_STATIC_ROOT": str(static)}
    done = python("manage.py", "realtime_check", "--json", environment=environment)
    assert done.stderr == ""
    told = json.loads(done.stdout)
    assert done.returncode == 0, told
    assert [finding["id"] for finding in told["findings"]] == ["carillon.W012"]
    seen = told["seen"]["database"]
    assert (seen["timeline"], len(seen["incarnation"])) == (1, 8)
    assert abs(seen["clock_seconds"]) < 1
    assert told["seen"]["broker"]["version"].startswith("RabbitMQ ")


class TestDatabase:
    @pytest.mark.parametrize(
        ("setting", "id"),
        [
            ("synchronous_commit = off", "E033"),
            ("default_transaction_read_only = on", "E032"),
        ],
    )
    def test_setting_of_the_user(self, migrated: PostgreSQL, setting: str, id: str) -> None:
        """What would lose an acknowledged message, or take none."""
        with changed(
            migrated, f"ALTER ROLE carillon SET {setting}", "ALTER ROLE carillon RESET ALL"
        ):
            seen = databases.look_at_postgresql(entry(migrated), SOME)
        assert ids(seen.findings) == {id}

    def test_another_timeline(self, migrated: PostgreSQL) -> None:
        """As after a fail-over that nobody has told the log of."""
        update = "UPDATE realtime_deployment SET timeline = {}"
        with changed(migrated, update.format(7), update.format(1)):
            seen = databases.look_at_postgresql(entry(migrated), SOME)
        assert ids(seen.findings) == {"W038"}

    @pytest.mark.parametrize(
        ("processes", "expected"),
        [
            ("web=2,gateway=2,worker=4", set()),
            ("web=40,gateway=2,worker=4", {"W037"}),
            ("web=60,gateway=2,worker=4", {"E036"}),
        ],
    )
    def test_pools(self, migrated: PostgreSQL, processes: str, expected: set[str]) -> None:
        """200 connections are there, less those for superusers; 0.8 of them are meant."""
        seen = databases.look_at_postgresql(entry(migrated), Processes.read(processes))
        assert ids(seen.findings) == expected

    def test_clock(self, migrated: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
        """A host whose clock is an hour late."""
        real = time.time
        monkeypatch.setattr(databases.time, "time", lambda: real() - 3_600)
        seen = databases.look_at_postgresql(entry(migrated), SOME)
        [finding] = seen.findings
        assert finding.id == "carillon.W040"
        assert "3600.0 s ahead of this host's" in str(finding.msg)

    def test_old_snapshot(self, migrated: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whoever keeps it is named."""
        monkeypatch.setattr(databases, "_SNAPSHOT_SECONDS", -1)
        given = databases_of_settings.parameters(entry(migrated))
        with psycopg.connect(**given, autocommit=True, application_name="pg_dump") as keeper:
            keeper.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            keeper.execute("SELECT 1 FROM accounts_user")
            seen = databases.look_at_postgresql(entry(migrated), SOME)
            pid = keeper.info.backend_pid
        [finding] = seen.findings
        assert finding.id == "carillon.W039"
        assert f"Process {pid} (pg_dump) has kept a snapshot" in str(finding.msg)

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            ({"PASSWORD": "wrong"}, "password authentication failed"),
            ({"NAME": "nowhere"}, 'database "nowhere" does not exist'),
            ({"PORT": "1"}, "Connection refused"),
        ],
    )
    def test_refusal(self, postgresql: PostgreSQL, wrong: dict[str, str], words: str) -> None:
        """The server's own words, and no pool's; never the password."""
        given = entry(postgresql, **wrong)
        [finding] = databases.look_at_postgresql(given, None).findings
        assert finding.id == "carillon.E030"
        assert words in str(finding.msg)
        assert given["PASSWORD"] not in str(finding)


class TestBroker:
    @pytest.mark.parametrize("role", ["gateway", "web", "worker"])
    def test_rights_of_each_role(self, rabbitmq: RabbitMQ, settings: Settings, role: str) -> None:
        """Those that the stack gives are enough."""
        settings.BROKER_URL, settings.CARILLON_SERVICE = rabbitmq.urls[role], role
        assert brokers.look().findings == []

    @pytest.mark.parametrize(
        ("account", "role"), [("gateway", "web"), ("web", "gateway"), ("worker", "gateway")]
    )
    def test_another_roles_account(
        self, rabbitmq: RabbitMQ, settings: Settings, account: str, role: str
    ) -> None:
        """It lacks a right, and the broker says which."""
        settings.BROKER_URL, settings.CARILLON_SERVICE = rabbitmq.urls[account], role
        [finding] = brokers.look().findings
        assert finding.id == "carillon.E023"
        assert "refused" in str(finding.msg)

    @pytest.mark.parametrize(
        ("wrong", "id"),
        [("{host}:{port}/other", "E022"), ("{host}:1/carillon", "E020"), (None, "E021")],
    )
    def test_refusal(
        self, rabbitmq: RabbitMQ, settings: Settings, wrong: str | None, id: str
    ) -> None:
        """A wrong password, virtual host and port are told apart."""
        parts = urlsplit(rabbitmq.urls["web"])
        place = (wrong or "{host}:{port}/carillon").format(host=parts.hostname, port=parts.port)
        password = parts.password if wrong else "wrong"
        settings.BROKER_URL = f"amqp://web:{password}@{place}"
        settings.CARILLON_SERVICE = "web"
        [finding] = brokers.look().findings
        assert ids([finding]) == {id}
        assert str(password) not in str(finding) or password == "wrong"

    def test_alarm(self, rabbitmq: RabbitMQ) -> None:
        """Nobody can publish; the broker says why."""
        with limited_memory(rabbitmq):
            began = time.monotonic()
            seen = inspect(rabbitmq.urls["web"], hears_bells=False, has_jobs=True)
            assert time.monotonic() - began < PROBE_SECONDS
        assert [fault for fault, _ in seen.faults] == [Fault.BLOCKED]

    def test_something_in_the_way(self, rabbitmq: RabbitMQ) -> None:
        """An exchange of the same name, of another kind."""
        from kombu import Connection, Exchange

        with Connection(rabbitmq.urls["operator"]) as connection:
            groups = Exchange("groups", type="fanout", durable=True)(connection.channel())
            groups.delete()
            groups.declare()
            try:
                seen = inspect(rabbitmq.urls["web"], hears_bells=False, has_jobs=True)
            finally:
                groups.delete()
        [(fault, words)] = seen.faults
        assert fault is Fault.TOPOLOGY
        assert "'groups'" in words


def test_servers_that_hang(postgresql: PostgreSQL, rabbitmq: RabbitMQ, settings: Settings) -> None:
    """Both are told of within the time of one."""
    settings.BROKER_URL = rabbitmq.urls["web"]
    given = entry(postgresql, NAME="carillon")
    probes = {
        "broker": brokers.look,
        "database": lambda: databases.look_at_postgresql(given, None),
    }
    with stopped(postgresql), stopped(rabbitmq):
        began = time.monotonic()
        seen = look_at_all(probes)
        assert time.monotonic() - began < PROBE_SECONDS + 1
    for looked, id in ((seen["broker"], "E020"), (seen["database"], "E030")):
        assert ids(looked.findings) <= {id, "E090"}
        assert len(looked.findings) == 1


@contextmanager
def limited_memory(rabbitmq: RabbitMQ) -> Iterator[None]:
    """Have RabbitMQ raise its alarm."""

    def control(*words: str) -> None:
        [service] = [s for s in rabbitmq._stack.servers() if s.name == "rabbitmq"]
        server = find("rabbitmq-server")
        assert server is not None
        program = server.replace("rabbitmq-server", "rabbitmqctl")
        subprocess.run([program, *words], env=dict(service.env), check=True, capture_output=True)

    control("set_vm_memory_high_watermark", "absolute", "1")
    try:
        yield
    finally:
        control("set_vm_memory_high_watermark", "0.4")


@contextmanager
def stopped(server: Server) -> Iterator[None]:
    """Have all processes of a server do nothing."""
    record = server._stack.supervisor.records.read(server._name)
    assert record is not None
    members = family(record.identity)
    for member in members:
        os.kill(member.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for member in members:
            os.kill(member.pid, signal.SIGCONT)
