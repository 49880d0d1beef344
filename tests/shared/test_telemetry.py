from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Gauge

from shared.telemetry import health
from tests.processes import ENVIRONMENT, python

LOG = """
import logging
import django
django.setup()
log = logging.getLogger("carillon.test")
log.info("two\\nlines \\x1b[31m \\u2028 of %s", "a\\rb")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("broken")
"""


REFUSED = """
import django
django.setup()
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils.log import log_response
request = RequestFactory().get("/staff/")
for status, error in ((403, PermissionDenied()), (500, ZeroDivisionError())):
    try:
        raise error
    except Exception as e:
        answer = HttpResponse(status=status)
        log_response("Answered: %s", "/staff/", response=answer, request=request, exception=e)
"""

LOST = """
import logging
import django
from billiard.einfo import ExceptionInfo
from billiard.exceptions import WorkerLostError
django.setup()
errors = {
    "celery.worker.request": WorkerLostError("signal 9"),
    "celery.concurrency.asynpool": OSError(9, "Bad file descriptor"),
    "celery.app.trace": ValueError("ours"),
}
for name, error in errors.items():
    try:
        raise error
    except Exception:
        info = ExceptionInfo()
        logging.getLogger(name).error("It broke at %d", 7, exc_info=info.exc_info)
"""


@pytest.fixture
def failing() -> dict[str, str]:
    """What is wrong, by check."""
    return {}


@pytest.fixture
def begun() -> list[str]:
    """What was started by a POST."""
    return []


@pytest.fixture
def address(failing: dict[str, str], begun: list[str]) -> Iterator[str]:
    registry = CollectorRegistry()
    Gauge("under_test", "x", registry=registry).set(3)
    server = health.serve(
        "127.0.0.1",
        0,
        registry=lambda: registry,
        live={"loop": lambda: failing.get("loop")},
        ready={"loop": lambda: failing.get("loop"), "database": lambda: failing.get("database")},
        actions={"/drain": lambda: begun.append("drain")},
    )
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def get(
    url: str, method: str = "GET", body: bytes | None = None, origin: str | None = None
) -> tuple[int, str]:
    headers = {} if origin is None else {"Origin": origin}
    request = urllib.request.Request(url, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_all_is_well(address: str) -> None:
    """Metrics are exposed, both checks say ok, and there is nothing else."""
    status, text = get(f"{address}/metrics")
    assert status == 200
    assert "under_test 3.0" in text
    assert get(f"{address}/livez") == get(f"{address}/readyz") == (200, "ok\n")
    assert get(f"{address}/")[0] == get(f"{address}/admin/")[0] == 404


def test_a_dependency_is_away(address: str, failing: dict[str, str]) -> None:
    """Without its database a process is alive, but takes no new work; it heals by itself."""
    failing["database"] = "does not answer"
    assert get(f"{address}/livez") == (200, "ok\n")
    assert get(f"{address}/readyz") == (503, "database: does not answer\n")
    failing.clear()
    assert get(f"{address}/readyz") == (200, "ok\n")


def test_only_a_restart_helps(address: str, failing: dict[str, str]) -> None:
    """A stuck loop fails both."""
    failing["loop"] = "has not come round"
    assert get(f"{address}/livez")[0] == get(f"{address}/readyz")[0] == 503


def test_an_action_begins_once_for_each_post(address: str, begun: list[str]) -> None:
    """It answers at once that it has begun; what was sent along changes nothing."""
    assert get(f"{address}/drain", "POST") == (202, "begun\n")
    assert begun == ["drain"]
    assert get(f"{address}/drain", "POST", b"x" * 1000) == (202, "begun\n")
    assert begun == ["drain", "drain"]
    assert get(f"{address}/livez") == (200, "ok\n")


def test_nothing_else_begins_anything(address: str, begun: list[str]) -> None:
    """Looking at an action does not start it, and no other path takes a POST."""
    assert get(f"{address}/drain")[0] == 405
    for path in ("/", "/metrics", "/readyz", "/drain/", "/drain?x=1", "/Drain", "/drain/more"):
        assert get(address + path, "POST")[0] == 404, path
    for method in ("PUT", "DELETE", "HEAD"):
        assert get(f"{address}/drain", method)[0] == 501
    assert begun == []


def test_a_page_in_a_browser_begins_nothing(address: str, begun: list[str]) -> None:
    """A site that an operator looks at could send a form to this machine's ports."""
    for origin in ("https://evil.example", "null", address):
        assert get(f"{address}/drain", "POST", origin=origin)[0] == 403
    assert begun == []


def test_silent_client_holds_up_nobody(address: str) -> None:
    """Whoever connects and says nothing does not keep a probe waiting."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))):
        assert get(f"{address}/livez")[0] == 200
    assert threading.active_count() < 50


def test_whoever_has_gone_is_no_error(
    address: str, failing: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    """A scraper that waited for too long hangs up; nothing is written about it."""
    # More than fits between the two.
    failing["loop"] = "x" * 50_000_000
    there = set(threading.enumerate())
    host, _, port = address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as scraper:
        scraper.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert scraper.recv(1)
    for thread in set(threading.enumerate()) - there:
        thread.join(10)
        assert not thread.is_alive()
    assert capfd.readouterr().err == ""


def test_port_taken() -> None:
    """A taken port is an error at once, not a service without probes."""
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(OSError):
        health.serve(
            "127.0.0.1",
            other.getsockname()[1],
            registry=CollectorRegistry,
            live={},
            ready={},
        )


@pytest.mark.thorough
def test_one_line_per_event() -> None:
    """A log line is one JSON object, whatever control characters and tracebacks it holds."""
    ended = python(
        "-c", LOG, environment=ENVIRONMENT | {"DJANGO_SETTINGS_MODULE": "services.web.settings"}
    )
    assert ended.returncode == 0, ended.stderr
    first, second = (json.loads(line) for line in ended.stderr.split("\n") if line)
    assert first["event"] == "two\nlines \x1b[31m \u2028 of a\rb"
    assert (first["level"], first["logger"]) == ("info", "carillon.test")
    assert "\u2028" not in ended.stderr
    assert "\x1b" not in ended.stderr
    assert "ZeroDivisionError" in second["exception"]


@pytest.mark.thorough
def test_refused_requests_are_logged_without_a_traceback() -> None:
    """It would show where our own code said no; what nobody foresaw keeps its one."""
    environment = ENVIRONMENT | {"DJANGO_SETTINGS_MODULE": "services.web.settings"}
    ended = python("-c", REFUSED, environment=environment)
    assert ended.returncode == 0, ended.stderr
    refused, failed = (json.loads(line) for line in ended.stderr.splitlines())
    assert refused["event"] == "Answered: /staff/"
    assert "exception" not in refused
    assert "ZeroDivisionError" in failed["exception"]


@pytest.mark.thorough
def test_killed_processes_are_logged_without_a_traceback() -> None:
    """It would show where Celery found out; what our own code raised keeps its one."""
    ended = python(
        "-c", LOST, environment=ENVIRONMENT | {"DJANGO_SETTINGS_MODULE": "services.worker.settings"}
    )
    assert ended.returncode == 0, ended.stderr
    lost, descriptor, ours = (json.loads(line) for line in ended.stderr.splitlines())
    assert lost["event"] == "It broke at 7 (WorkerLostError: signal 9)"
    assert descriptor["event"] == "It broke at 7 (OSError: [Errno 9] Bad file descriptor)"
    assert "exception" not in lost.keys() | descriptor.keys()
    assert "ValueError: ours" in ours["exception"]
