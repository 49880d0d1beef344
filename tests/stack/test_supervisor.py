from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from deploy.stack.errors import PortTaken, StackError
from deploy.stack.layout import Layout
from deploy.stack.processes import Identity, family, identify
from deploy.stack.records import Record
from deploy.stack.service import Service, Task, in_order
from deploy.stack.supervisor import Supervisor, becomes_free
from tests.stack.conftest import ENV, echo


def script(name: str, code: str, **more: object) -> Service:
    return Service(name=name, command=(sys.executable, "-c", code), env=ENV, **more)  # type: ignore[arg-type]


def pid(supervisor: Supervisor, name: str) -> int:
    record = supervisor.records.read(name)
    assert record is not None
    return record.identity.pid


def test_up_twice(supervisor: Supervisor, layout: Layout, lines: list[str]) -> None:
    """The second time nothing is started, and nothing said."""
    services = [echo("web", layout.web)]
    supervisor.up(services)
    before = pid(supervisor, "web")
    lines.clear()
    supervisor.up(services)
    assert pid(supervisor, "web") == before
    assert lines == []


def test_order(supervisor: Supervisor, layout: Layout, lines: list[str]) -> None:
    """A service starts after those that it needs are ready, and stops before they do."""
    last = replace(echo("last", layout.gateway(2)), needs=("middle",))
    middle = replace(echo("middle", layout.gateway(1)), needs=("first",))
    supervisor.up([last, middle, echo("first", layout.web)])
    supervisor.down()
    names = [line.split()[0] for line in lines]
    assert names == ["first", "middle", "last", "last", "middle", "first"]


def test_order_without_a_beginning() -> None:
    """Services that need each other are a mistake in the declaration."""
    one, two = script("one", "", needs=("two",)), script("two", "", needs=("one",))
    with pytest.raises(AssertionError, match="circle: one, two"):
        in_order([one, two])


def test_dead_service(supervisor: Supervisor, layout: Layout) -> None:
    """What was killed is started again, what runs stays."""
    services = [echo("web", layout.web), echo("gateway-1", layout.gateway(1))]
    supervisor.up(services)
    web, gateway = pid(supervisor, "web"), pid(supervisor, "gateway-1")
    os.kill(gateway, signal.SIGKILL)
    os.waitpid(gateway, 0)
    supervisor.up(services)
    assert pid(supervisor, "web") == web
    assert pid(supervisor, "gateway-1") != gateway


@pytest.mark.parametrize(
    "change",
    [{"env": {**ENV, "CARILLON_LOG_LEVEL": "DEBUG"}}, {"content": "another configuration"}],
    ids=["environment", "content"],
)
def test_changed_service(
    supervisor: Supervisor, layout: Layout, lines: list[str], change: dict[str, object]
) -> None:
    """A service whose environment or files differ from the running one is started again."""
    service, other = echo("web", layout.web), echo("gateway-1", layout.gateway(1))
    supervisor.up([service, other])
    web, gateway = pid(supervisor, "web"), pid(supervisor, "gateway-1")
    supervisor.up([replace(service, **change), other])  # type: ignore[arg-type]
    assert pid(supervisor, "web") != web
    assert pid(supervisor, "gateway-1") == gateway
    assert "web           has changed and is started again" in lines


def test_task(supervisor: Supervisor, lines: list[str]) -> None:
    """A task runs each time, unless its work is known to be there."""
    task = Task(name="migrate", command=(sys.executable, "-c", "print('ran')"), env=ENV)
    supervisor.up([task])
    supervisor.up([task])
    assert supervisor.log("migrate").read_text() == "ran\nran\n"
    supervisor.up([replace(task, done=lambda: True)])
    assert supervisor.log("migrate").read_text() == "ran\nran\n"


def test_another_shell(supervisor: Supervisor, layout: Layout) -> None:
    """A service stays when only the caller's search path and home have changed."""
    service = echo("web", layout.web)
    supervisor.up([service])
    before = pid(supervisor, "web")
    supervisor.up([replace(service, env={**ENV, "PATH": "/nowhere", "HOME": "/nowhere"})])
    assert pid(supervisor, "web") == before


def test_service_that_ends(supervisor: Supervisor) -> None:
    """The error carries the end of the log, of this start alone."""
    failing = script("web", "import sys; print('first'); sys.exit('no such table')")
    for _ in range(2):
        with pytest.raises(StackError) as caught:
            supervisor.up([replace(failing, ready=lambda: False)])
    assert str(caught.value).count("no such table") == 1
    assert "web ended with exit status 1" in str(caught.value)
    assert supervisor.records.all() == []


@pytest.mark.thorough
def test_service_that_is_never_ready(supervisor: Supervisor) -> None:
    """It is stopped, and the end of its log is told."""
    slow = script(
        "web",
        "import time; print('still thinking', flush=True); time.sleep(60)",
        ready=lambda: False,
        start_seconds=0.5,
    )
    with pytest.raises(StackError, match=r"(?s)^web was not ready within .*still thinking"):
        supervisor.up([slow])
    assert supervisor.records.all() == []


def test_task_that_fails(supervisor: Supervisor) -> None:
    """What needs it does not start."""
    task = Task(name="migrate", command=(sys.executable, "-c", "1/0"), env=ENV)
    with pytest.raises(StackError, match="ZeroDivisionError"):
        supervisor.up([task, script("web", "", needs=("migrate",))])
    assert not supervisor.log("web").exists()


def test_port_of_another_program(supervisor: Supervisor, layout: Layout) -> None:
    """The error names the port and the variable that moves it; nothing has been started."""
    words = rf"Port {layout.web} \(web\) is taken.*CARILLON_BASE_PORT"
    with socket.create_server(("127.0.0.1", layout.web)), pytest.raises(PortTaken, match=words):
        supervisor.up([echo("gateway-1", layout.gateway(1)), echo("web", layout.web)])
    assert supervisor.records.all() == []


def test_port_of_a_killed_services_child(supervisor: Supervisor, layout: Layout) -> None:
    """What a service that was killed has left behind gets a moment to end."""
    service = echo("web", layout.web)
    supervisor.up([service])
    os.kill(pid(supervisor, "web"), signal.SIGKILL)
    assert becomes_free(layout.web, 5)
    child = socket.create_server(("127.0.0.1", layout.web))
    ending = threading.Timer(0.5, child.close)
    ending.start()
    supervisor.up([service])
    ending.join()
    assert supervisor.records.read("web") is not None


def test_pid_of_another_program(supervisor: Supervisor, lines: list[str]) -> None:
    """A stale record whose pid now belongs to somebody else harms nobody."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        now = identify(stranger.pid)
        assert now is not None
        stale = Identity(now.pid, now.started - 1)
        supervisor.records.write(Record("web", stale, "", (), signal.SIGKILL, 5))
        supervisor.down()
        assert stranger.poll() is None
        stranger.kill()
    assert lines == []
    assert supervisor.records.all() == []


def test_unreadable_record(supervisor: Supervisor) -> None:
    """A record that a crash has cut is forgotten."""
    supervisor.records.folder.mkdir(parents=True)
    (supervisor.records.folder / "web.pid").write_text('{"pid": 1')
    supervisor.down()
    assert list(supervisor.records.folder.iterdir()) == []


PARENT = """
import subprocess, sys, time
child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
subprocess.Popen([sys.executable, "-c", child])
subprocess.Popen([sys.executable, "-c", child], start_new_session=True)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.thorough
def test_children_that_stay(supervisor: Supervisor) -> None:
    """Children that ignore the signal are killed, those in another session, too."""
    log = supervisor.log("web")
    service = script(
        "web", PARENT, ready=lambda: "ready" in log.read_text(), stop_signal=signal.SIGKILL
    )
    supervisor.up([service])
    record = supervisor.records.read("web")
    assert record is not None
    members = family(record.identity)
    assert len(members) == 3
    supervisor.down()
    assert not any(identify(member.pid) == member for member in members)


@pytest.mark.thorough
def test_children_of_a_dead_parent(supervisor: Supervisor) -> None:
    """What a killed service leaves in its session goes with it."""
    log = supervisor.log("web")
    code = PARENT.replace(", start_new_session=True", "")
    supervisor.up([script("web", code, ready=lambda: "ready" in log.read_text())])
    record = supervisor.records.read("web")
    assert record is not None
    members = family(record.identity)
    os.kill(record.identity.pid, signal.SIGKILL)
    os.waitpid(record.identity.pid, 0)
    supervisor.down()
    assert not any(identify(member.pid) == member for member in members)


HEIR = """
import signal, subprocess, sys, time
child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
def bequeath(number, frame):
    heir = subprocess.Popen([sys.executable, "-c", child])
    print("heir", heir.pid, flush=True)
    sys.exit()
signal.signal(signal.SIGTERM, bequeath)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.thorough
def test_child_that_is_born_in_the_end(supervisor: Supervisor) -> None:
    """What a service starts after it was told to stop goes with it."""
    log = supervisor.log("web")
    supervisor.up([script("web", HEIR, ready=lambda: "ready" in log.read_text())])
    supervisor.down()
    born = int(log.read_text().split()[-1])
    assert identify(born) is None
