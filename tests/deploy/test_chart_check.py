"""What runs inside a cluster, on real servers: the check of `helm test`, and migrations in pods."""

from __future__ import annotations

import os
import subprocess
import sys

import psycopg

from deploy.k8s.chart import CHART
from tests.servers import PostgreSQL, RunningStack

ROOT = CHART.parents[2]
CHECK = CHART / "files" / "check.py"
MIGRATE = CHART / "files" / "migrate.py"


def check(url: str, origin: str, seconds: float = 20) -> subprocess.CompletedProcess[str]:
    """Run the check as the test pod does, with nothing but Python's own library."""
    return subprocess.run(
        [sys.executable, "-I", "-c", CHECK.read_text(), url, origin, str(seconds)],
        capture_output=True,
        text=True,
    )


def test_check(stack: RunningStack) -> None:
    """Behind nginx the page, a file of it and a gateway answer, and nothing internal does."""
    result = check(stack.url, stack.url)
    assert result.returncode == 0, result.stdout
    passed, page, file = result.stdout.splitlines()[0].split()[:3]
    assert (passed, page, file) == ("passed", "sign_in_page:", "/accounts/login/")
    assert "passed  gateway: a gateway answered: 3501" in result.stdout
    assert "passed  nothing_internal:" in result.stdout


def test_check_of_another_origin(stack: RunningStack) -> None:
    """An origin that the release does not know fails, and the words say where."""
    result = check(stack.url, "https://elsewhere.example.org", seconds=0)
    assert result.returncode == 1
    assert "FAILED  sign_in_page: /accounts/login/ was answered with 400" in result.stdout
    assert "FAILED  gateway: the handshake was answered with 'HTTP/1.1 400" in result.stdout


def test_check_of_a_port_that_is_internal(stack: RunningStack) -> None:
    """A way past nginx, by which the public would reach metrics, is found."""
    result = check(stack.internal_url("gateway-1"), stack.url, seconds=0)
    assert result.returncode == 1
    assert "FAILED  nothing_internal: /metrics was answered with 200, not with 404" in result.stdout


def migrate(url: str) -> subprocess.Popen[str]:
    """Start what a pod migrates with."""
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "services.web.settings",
        "DATABASE_URL": url,
        "CARILLON_SECRET_KEY": "for a database of a test, which is soon gone",
        "CARILLON_PUBLIC_ORIGINS": "https://chat.example.org",
    }
    return subprocess.Popen(
        [sys.executable, "-c", MIGRATE.read_text()],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def database(postgresql: PostgreSQL, name: str) -> str:
    with psycopg.connect(postgresql.url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    return f"{postgresql.url.rpartition('/')[0]}/{name}"


def test_migrations_side_by_side(postgresql: PostgreSQL) -> None:
    """Two pods that start at once both come up, and the database is migrated once."""
    url = database(postgresql, "pods")
    pods = [migrate(url) for _ in range(2)]
    said = [pod.communicate()[0] for pod in pods]
    assert [pod.returncode for pod in pods] == [0, 0], said
    assert sorted("No migrations to apply." in each for each in said) == [False, True]
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM accounts_user").fetchone()
    assert row == (0,)


def test_migrations_wait_for_no_table(postgresql: PostgreSQL) -> None:
    """Who waits for a table has all others wait behind it: it gives up soon, and tries again."""
    url = database(postgresql, "busy")
    said, _ = migrate(url).communicate()
    assert "Applying" in said
    with psycopg.connect(url) as busy:
        busy.execute("LOCK TABLE django_migrations")
        pod = migrate(url)
        try:
            said, _ = pod.communicate(timeout=20)
        finally:
            pod.kill()
    assert pod.returncode == 1
    assert "lock timeout" in said
